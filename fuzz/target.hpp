// What a fuzz target is: a function over bytes that throws where a property does not hold.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dg::fuzz {

struct Target {
  std::string_view name;  // of its file, its corpus and its dictionary
  void (*check)(std::string_view input);
  std::size_t mutations;  // how many the replay makes: what a second or two are enough for
};

inline std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

// Makes a target known: to libFuzzer's driver, which is linked with one, and to the replay with all.
struct Registration {
  Registration(std::string_view name, std::size_t mutations, void (*check)(std::string_view)) {
    targets().push_back({name, check, mutations});
  }
};

struct Violation : std::logic_error {
  using std::logic_error::logic_error;
};

inline void expect(bool holds, std::string_view property, std::string_view about = {}) {
  if (!holds) throw Violation(std::string(property) + ": " + std::string(about));
}

// The input up to `mark` and what is behind it; nothing where there is no mark.
inline std::pair<std::string_view, std::string_view> split(std::string_view input, char mark) {
  const auto place = std::min(input.find(mark), input.size());
  return {input.substr(0, place), input.substr(std::min(place + 1, input.size()))};
}

}  // namespace dg::fuzz
