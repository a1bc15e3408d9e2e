// Where NATS is and how to be let in.
#pragma once

#include <string>
#include <vector>

namespace dg::bus::nats {

// What is empty is not used.
struct Options {
  std::vector<std::string> urls;  // of one cluster; they may hold passwords
  std::string credentials{};      // the path of a .creds file
  std::string token{};
  std::string user{};
  std::string password{};
  std::string tls_ca{};    // paths, in PEM
  std::string tls_cert{};  // together with the key
  std::string tls_key{};
  std::string name{"duragraph"};  // what NATS shows of the client
};

}  // namespace dg::bus::nats
