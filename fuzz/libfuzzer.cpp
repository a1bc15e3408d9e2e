// libFuzzer's entry into the one target that is linked with it.
#include <cstddef>
#include <cstdint>

#include "target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dg::fuzz::targets().front().check({reinterpret_cast<const char*>(data), size});
  return 0;
}
