#include "store/delta/packing.hpp"

#include <zstd.h>

#include <memory>

namespace dg::store::delta {
namespace {

// The first byte says how the rest is stored.
constexpr char plain = 0;
constexpr char zstd = 1;
constexpr int quick_level = 3;
constexpr int thorough_level = 6;
constexpr std::size_t worth_trying = 64;
// A block of zstd takes four bytes or more and unpacks to 128 KiB at most; a header that says more is not
// trusted with the memory.
constexpr unsigned long long most_per_byte = (128ULL << 10) / 4;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::string plainly(std::string_view bytes) {
  std::string out(1, plain);
  out += bytes;
  return out;
}

}  // namespace

std::string pack(std::string_view bytes, Effort effort) {
  if (bytes.size() < worth_trying) return plainly(bytes);
  // Contexts are large and slow to make: one per thread that writes.
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  const int level = effort == Effort::thorough ? thorough_level : quick_level;
  std::string out(1 + ZSTD_compressBound(bytes.size()), zstd);
  const auto size =
      ZSTD_compressCCtx(context.get(), out.data() + 1, out.size() - 1, bytes.data(), bytes.size(), level);
  if (ZSTD_isError(size) != 0 || size >= bytes.size()) return plainly(bytes);
  out.resize(1 + size);
  return out;
}

std::optional<std::string> unpack(std::string_view packed) {
  if (packed.empty()) return std::nullopt;
  const char kind = packed.front();
  packed.remove_prefix(1);
  if (kind == plain) return std::string(packed);
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (kind != zstd || size > packed.size() * most_per_byte) return std::nullopt;
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  std::string out(size, '\0');
  const auto done = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(done) != 0 || done != size) return std::nullopt;
  return out;
}

}  // namespace dg::store::delta
