// Memory items.
#pragma once

#include <string>
#include <vector>

#include "app/caller.hpp"
#include "app/context.hpp"

namespace dg::app {

// bad_request for an empty namespace, invalid_argument for a label that is empty, holds a dot, or is a
// root that graph libraries keep for themselves.
Status check_namespace(const std::vector<std::string>& ns);

// forbidden where the namespace is not the caller's: users have those whose first label is their name, as
// LangGraph's users have it. What a graph does on their behalf is the graph's own business.
Status check_reach(const Caller& caller, const std::vector<std::string>& ns);

// Confines a search to what the caller has; false where nothing of it is left.
bool confine(const Caller& caller, store::ItemSearch& search);
bool confine(const Caller& caller, store::NamespaceSearch& search);

// The change that writes the item; the value "null" deletes it.
store::Change item_change(std::vector<std::string> ns, std::string key, std::string value);

// Checks the namespace and the reach, and writes the item; the value "null" deletes it.
Task<Status> put_item(Context& context, Caller caller, std::vector<std::string> ns, std::string key,
                      std::string value);

}  // namespace dg::app
