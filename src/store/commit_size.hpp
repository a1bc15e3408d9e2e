// How much memory a commit takes while it waits.
#pragma once

#include <cstddef>

#include "store/store.hpp"

namespace dg::store {

// Roughly how many bytes the commit carries.
std::size_t size_of(const Commit& commit);

}  // namespace dg::store
