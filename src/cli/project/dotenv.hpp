// Files of environment variables.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dg::cli {

using Environment = std::map<std::string, std::string>;

// Reads NAME=VALUE lines: comments, `export`, single quotes (literal), double quotes (with \n, \t, \", \\ and
// line breaks). Nothing is expanded. invalid_argument names the line that cannot be read.
Result<Environment> parse_dotenv(std::string_view text);

}  // namespace dg::cli
