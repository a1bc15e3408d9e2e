// Files of environment variables.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dg::cli {

using Environment = std::map<std::string, std::string>;

struct Dotenv {
  Environment variables;
  std::vector<std::string>
      skipped;  // why each line that cannot be read cannot, as "line 3 is not NAME=VALUE"
};

// Reads NAME=VALUE lines: comments, `export`, single quotes (literal), double quotes (with \n, \t, \", \\ and
// line breaks). Nothing is expanded. A line that cannot be read is skipped.
Dotenv parse_dotenv(std::string_view text);

}  // namespace dg::cli
