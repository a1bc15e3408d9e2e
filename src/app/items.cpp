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

store::Change item_change(std::vector<std::string> ns, std::string key, std::string value) {
  if (value == "null") return store::EraseItem{std::move(ns), std::move(key)};
  return store::PutItem{std::move(ns), std::move(key), std::move(value)};
}

Task<Status> put_item(Context& context, std::vector<std::string> ns, std::string key, std::string value) {
  if (auto valid = check_namespace(ns); !valid) co_return valid;
  store::Commit commit;
  commit.changes.push_back(item_change(std::move(ns), std::move(key), std::move(value)));
  const auto done = co_await context.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return Status{};
}

}  // namespace dg::app
