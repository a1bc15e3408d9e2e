// Rows out of where they were gathered, which is empty then.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dg::store::postgres {

template <class Map>
auto values_of(Map& map) {
  std::vector<typename Map::mapped_type> out;
  out.reserve(map.size());
  for (auto& [key, value] : map) out.push_back(std::move(value));
  map.clear();
  return out;
}

template <class T>
std::vector<T> taken(std::vector<T>& from) {
  return std::exchange(from, {});
}

inline std::vector<std::string> taken(std::set<std::string>& from) {
  std::vector<std::string> out(from.begin(), from.end());
  from.clear();
  return out;
}

}  // namespace dg::store::postgres
