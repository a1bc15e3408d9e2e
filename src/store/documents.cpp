#include "store/documents.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace dg::store {
namespace {

// What cannot be compared satisfies no order.
bool satisfies(json::View value, std::string_view op, json::View operand) {
  if (op == "$eq") return json::equal(value, operand);
  if (op == "$ne") return !json::equal(value, operand);
  const auto order = json::compare(value, operand);
  if (!order) return false;
  if (op == "$gt") return *order > 0;
  if (op == "$gte") return *order >= 0;
  if (op == "$lt") return *order < 0;
  return op == "$lte" && *order <= 0;
}

// `wanted` is a value, an object of operators, or an object or list of such.
bool matches(json::View value, json::View wanted) {
  if (wanted.is_object()) {
    const auto members = wanted.members();
    const bool operators = std::ranges::any_of(members, [](const auto& m) { return m.key.starts_with('$'); });
    if (operators)
      return std::ranges::all_of(members, [&](const auto& m) { return satisfies(value, m.key, m.value); });
    return value.is_object() &&
           std::ranges::all_of(members, [&](const auto& m) { return matches(value[m.key], m.value); });
  }
  if (!wanted.is_array()) return json::equal(value, wanted);
  return value.is_array() && std::ranges::equal(value.elements(), wanted.elements(), matches);
}

bool label_matches(const std::string& label, const std::string& pattern) {
  return pattern == "*" || label == pattern;
}

bool has_prefix(const std::vector<std::string>& ns, const std::vector<std::string>& prefix) {
  return ns.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), ns.begin(),
                    [](const auto& p, const auto& l) { return label_matches(l, p); });
}

bool has_suffix(const std::vector<std::string>& ns, const std::vector<std::string>& suffix) {
  return ns.size() >= suffix.size() &&
         std::equal(suffix.rbegin(), suffix.rend(), ns.rbegin(),
                    [](const auto& p, const auto& l) { return label_matches(l, p); });
}

}  // namespace

std::vector<std::pair<std::string, std::string>> channel_versions(std::string_view json) {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& [channel, version] : json::View(json).members())
    out.emplace_back(std::move(channel), version.is_string() ? version.string() : std::string(version.raw()));
  return out;
}

bool is_finished(json::View task) {
  return !task["result"].is_null();
}

bool has_next(const std::string& projection) {
  return !json::View(projection)["next"].elements().empty();
}

std::string apply_patches(std::string projection, const std::map<std::string, std::string>& patches) {
  const json::View whole(projection);
  if (patches.empty() || !whole.is_object()) return projection;
  json::Writer tasks;
  tasks.begin_array();
  for (const auto task : whole["tasks"].elements()) {
    const auto found = patches.find(task["id"].string());
    tasks.raw(found == patches.end() ? std::string(task.raw())
                                     : json::merge(task, json::View(found->second)));
  }
  tasks.end_array();
  json::Writer out;
  out.begin_object();
  for (const auto& member : whole.members())
    out.key(member.key).raw(member.key == "tasks" ? std::string_view(tasks.text()) : member.value.raw());
  out.end_object();
  return out.take();
}

std::string metadata_in(std::string metadata, const std::string& thread_id) {
  if (!json::View(metadata).find("thread_id")) return metadata;
  json::Writer patch;
  patch.begin_object().key("thread_id").string(thread_id).end_object();
  return json::merge(json::View(metadata), json::View(patch.text()));
}

std::string projection_in(std::string projection, const std::string& thread_id) {
  json::Writer place;
  place.begin_object().key("thread_id").string(thread_id).end_object();
  json::Writer tasks;
  tasks.begin_object().key("tasks").begin_array();
  bool changed = false;
  for (const auto task : json::View(projection)["tasks"].elements()) {
    const auto checkpoint = task["checkpoint"];
    if (!checkpoint.is_object()) {
      tasks.raw(task.raw());
      continue;
    }
    json::Writer patch;
    patch.begin_object()
        .key("checkpoint")
        .raw(json::merge(checkpoint, json::View(place.text())))
        .end_object();
    tasks.raw(json::merge(task, json::View(patch.text())));
    changed = true;
  }
  tasks.end_array().end_object();
  return changed ? json::merge(json::View(projection), json::View(tasks.text())) : projection;
}

bool item_matches(std::string_view value, std::string_view filter) {
  const json::View whole(value);
  return std::ranges::all_of(json::View(filter).members(),
                             [&](const auto& m) { return matches(whole[m.key], m.value); });
}

void NamespaceMatches::add(std::vector<std::string> ns) {
  if (!has_prefix(ns, search_.prefix) || !has_suffix(ns, search_.suffix)) return;
  if (search_.max_depth > 0 && std::ssize(ns) > search_.max_depth)
    ns.resize(static_cast<std::size_t>(search_.max_depth));
  found_.insert(std::move(ns));
}

std::vector<std::vector<std::string>> NamespaceMatches::page() const {
  std::vector<std::vector<std::string>> out;
  std::int64_t place = 0;
  for (const auto& ns : found_)
    if (place++ >= search_.offset && std::ssize(out) < search_.limit) out.push_back(ns);
  return out;
}

}  // namespace dg::store
