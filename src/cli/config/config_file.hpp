// The file of settings: YAML, or JSON, which is YAML too.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace dg::cli {

struct ConfigEntry {
  std::string text;  // a list's elements with commas between them
  int line = 0;
};

struct ConfigFile {
  std::map<std::string, ConfigEntry, std::less<>> entries;  // by key
  std::vector<FieldError>
      problems;  // every key that is no setting, is there twice, or has no value of its kind
};

// Reads the file whole, at most `limit` bytes. not_found, invalid_argument: why it cannot be read, without
// its path.
Result<std::string> read_settings_text(const std::string& path, std::size_t limit);

// Reads the text of a file; `path` is for messages. invalid_argument: it is no YAML, or no map.
Result<ConfigFile> parse_config_file(const std::string& text, const std::string& path);

// The key that an unknown one was probably meant to be; empty where none is close.
std::string nearest_key(std::string key);

}  // namespace dg::cli
