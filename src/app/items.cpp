#include "app/items.hpp"

namespace dg::app {

Status check_namespace(const std::vector<std::string>& ns) {
  if (ns.empty()) return fail(Errc::bad_request, "Namespace is required");
  const auto wrong = [](std::string message) -> Status {
    return fail(Error{Errc::invalid_argument, "namespace: " + message, {{"namespace", message}}});
  };
  for (const auto& label : ns)
    if (label.empty() || label.find('.') != std::string::npos)
      return wrong("the label \"" + label + "\" is empty or holds a dot");
  if (ns.front() == "langgraph") return wrong("the root label \"langgraph\" is reserved");
  return {};
}

Status check_reach(const Caller& caller, const std::vector<std::string>& ns) {
  if (caller.sees_all || (!ns.empty() && caller.may_see(ns.front()))) return {};
  return fail(Errc::forbidden, "namespaces that do not begin with your user id (" + caller.user.value_or("") +
                                   ") are for the role admin");
}

bool confine(const Caller& caller, store::ItemSearch& search) {
  if (caller.sees_all) return true;
  if (search.prefix.empty()) search.prefix.push_back(caller.user.value_or(""));
  return caller.may_see(search.prefix.front());
}

bool confine(const Caller& caller, store::NamespaceSearch& search) {
  if (caller.sees_all) return true;
  if (search.prefix.empty()) search.prefix.emplace_back("*");
  if (search.prefix.front() == "*") search.prefix.front() = caller.user.value_or("");
  return caller.may_see(search.prefix.front());
}

store::Change item_change(std::vector<std::string> ns, std::string key, std::string value) {
  if (value == "null") return store::EraseItem{std::move(ns), std::move(key)};
  return store::PutItem{std::move(ns), std::move(key), std::move(value)};
}

Task<Status> put_item(Context& context, Caller caller, std::vector<std::string> ns, std::string key,
                      std::string value) {
  if (auto valid = check_namespace(ns); !valid) co_return valid;
  if (auto reached = check_reach(caller, ns); !reached) co_return reached;
  store::Commit commit;
  commit.changes.push_back(item_change(std::move(ns), std::move(key), std::move(value)));
  const auto done = co_await context.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Status{};
}

}  // namespace dg::app
