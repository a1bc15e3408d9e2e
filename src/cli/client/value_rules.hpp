// What a value may be: said in words once, for the command line, the environment and files.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace dg::cli {

struct ValueRule {
  std::string must;  // completes "must be …"
  std::function<bool(const std::string&)> accepts;
};

// A finite number of `least` or more.
ValueRule number_from(double least);
ValueRule whole_number_in(std::int64_t least, std::int64_t most = std::numeric_limits<int>::max());
ValueRule listening_port();  // 0 lets the system choose
// What a server can listen on: an IP address, or "localhost".
ValueRule listening_host();
// "*", or what a browser sends as Origin: a scheme, a host and maybe a port.
ValueRule allowed_origin();

// The value as a whole is a number of that type; false changes nothing.
bool read_number(std::string_view text, std::int64_t& into);
bool read_number(std::string_view text, double& into);

}  // namespace dg::cli
