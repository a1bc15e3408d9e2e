// Memory items.
#pragma once

#include <string>
#include <vector>

#include "app/context.hpp"

namespace dg::app {

// bad_request for an empty namespace, invalid_argument for a label that is empty, holds a dot, or is a
// root that graph libraries keep for themselves.
Status check_namespace(const std::vector<std::string>& ns);

// The change that writes the item; the value "null" deletes it.
store::Change item_change(std::vector<std::string> ns, std::string key, std::string value);

// Checks the namespace and writes the item; the value "null" deletes it.
Task<Status> put_item(Context& context, std::vector<std::string> ns, std::string key, std::string value);

}  // namespace dg::app
