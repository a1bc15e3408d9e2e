#include "base/env.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <span>
#include <stdexcept>
#include <utility>

namespace dg {
namespace {

class SystemClock final : public Clock {
 public:
  WallTime now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

// Asks OpenSSL for many numbers at once: a call took more than all else that makes an id. Every thread has
// its own.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override {
    thread_local std::array<std::uint64_t, 64> numbers;
    thread_local std::size_t left = 0;
    if (left == 0) {
      if (RAND_bytes(reinterpret_cast<unsigned char*>(numbers.data()), sizeof numbers) != 1)
        throw std::runtime_error("the system's random generator failed");
      left = numbers.size();
    }
    return std::exchange(numbers[--left], 0);
  }
};

void append_hex(std::string& out, std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const auto byte : bytes) {
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 0x0f]);
  }
}

std::string format_uuid(std::span<const unsigned char, 16> bytes) {
  std::string out;
  out.reserve(36);
  append_hex(out, bytes.first(4));
  for (const std::size_t at : {4, 6, 8}) {
    out.push_back('-');
    append_hex(out, bytes.subspan(at, 2));
  }
  out.push_back('-');
  append_hex(out, bytes.last(6));
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string uuid7_of(std::uint64_t stamp, Random& random) {
  const std::uint64_t ms = stamp >> 12;
  const std::uint64_t tail = random.next();
  std::array<unsigned char, 16> b{};
  for (int i = 0; i < 6; ++i) b[static_cast<std::size_t>(i)] = static_cast<unsigned char>(ms >> (40 - 8 * i));
  b[6] = static_cast<unsigned char>(0x70 | ((stamp >> 8) & 0x0f));
  b[7] = static_cast<unsigned char>(stamp);
  for (std::size_t i = 0; i < 8; ++i) b[8 + i] = static_cast<unsigned char>(tail >> (8 * i));
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  return format_uuid(b);
}

std::uint64_t stamp_of(std::string_view uuid7) {
  std::uint64_t stamp = 0;
  for (std::size_t i = 0; i < 18; ++i)  // up to the end of the third group, without the version
    if (i != 8 && i != 13 && i != 14) stamp = stamp << 4 | static_cast<std::uint64_t>(hex_value(uuid7[i]));
  return stamp;
}

}  // namespace

std::unique_ptr<Clock> make_system_clock() {
  return std::make_unique<SystemClock>();
}
std::unique_ptr<Random> make_system_random() {
  return std::make_unique<SystemRandom>();
}

std::string make_uuid7(const Env& env) {
  // RFC 9562, 6.2, method 3: the 12 bits of rand_a hold the fraction of the millisecond, and a
  // reading that does not advance counts up instead, so the ids stay in order.
  const auto micros = static_cast<std::uint64_t>(to_micros(env.clock.now()));
  return uuid7_of(env.clock.take_stamp((micros / 1000) << 12 | (micros % 1000) * 4096 / 1000), env.random);
}

std::string make_uuid7_above(const Env& env, std::string_view above) {
  auto id = make_uuid7(env);
  // The next stamp of that other clock. Ours is not set by it: it may be far ahead.
  return id > above || !is_uuid(above) ? id : uuid7_of(stamp_of(above) + 1, env.random);
}

std::string make_uuid5(std::string_view ns, std::string_view name) {
  std::string input;
  int high = -1;
  for (const char c : ns) {
    const int value = hex_value(c);
    if (value < 0) continue;
    if (high < 0) {
      high = value;
    } else {
      input.push_back(static_cast<char>(high << 4 | value));
      high = -1;
    }
  }
  input.append(name);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(input.data(), input.size(), digest.data(), &length, EVP_sha1(), nullptr);
  std::array<unsigned char, 16> b{};
  for (std::size_t i = 0; i < 16; ++i) b[i] = digest[i];
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x50);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  return format_uuid(b);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return false;
  }
  return true;
}

std::string make_secret(Random& random, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto byte = static_cast<unsigned char>(random.next());
    append_hex(out, std::span(&byte, 1));
  }
  return out;
}

std::string to_rfc3339(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = (time - seconds).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+00:00",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

std::int64_t to_micros(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime from_micros(std::int64_t micros) {
  return WallTime(std::chrono::microseconds(micros));
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::string out;
  append_hex(out, std::span(digest).first(length));
  return out;
}

}  // namespace dg
