// Who listens on a port, for the message of a server that cannot.
#pragma once

#include <cstdint>
#include <string>

namespace dg::cli {

// "python3 (process 4711)" where the process can be found out, else "another process".
std::string port_holder(std::uint16_t port);

}  // namespace dg::cli
