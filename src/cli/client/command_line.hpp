// What the command line may hold, and what is said of a wrong one.
#pragma once

#include <CLI/CLI.hpp>
#include <limits>
#include <string>
#include <string_view>

namespace dg::cli {

// Checks of an option's value. What they say names what the value must be.
CLI::Validator at_least(double least);
CLI::Validator whole_number(std::int64_t least, std::int64_t most = std::numeric_limits<int>::max());
CLI::Validator port_number();
// What a server can listen on: an IP address, or "localhost".
CLI::Validator host_address();
// "*", or what a browser sends as Origin: a scheme, a host and maybe a port.
CLI::Validator web_origin();

// What is wrong with the command line that `app` could not parse, and where help is: the first word
// that is not known, with the nearest one that is, else the error's own words.
std::string describe(const CLI::App& app, const CLI::ParseError& error);

// The word of `known` that `word` was probably meant to be; empty where none is close.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace dg::cli
