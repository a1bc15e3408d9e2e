// What adapters of the store do to documents, whatever keeps them: projections and their patches, copies
// in another thread, and the filters of searches.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "store/records.hpp"

namespace dg::store {

// The members of a checkpoint's channel_versions, with numbers as they are written.
std::vector<std::pair<std::string, std::string>> channel_versions(std::string_view json);

// Whether a task of a projection has a result. What it asked is then answered, though its checkpoint is not
// followed by another yet.
bool is_finished(json::View task);
// Whether the projection has unvisited nodes.
bool has_next(const std::string& projection);
// The projection with each patch laid over the task that it names.
std::string apply_patches(std::string projection, const std::map<std::string, std::string>& patches);

// A checkpoint's metadata in another thread: its `thread_id`, where it has one, follows.
std::string metadata_in(std::string metadata, const std::string& thread_id);
// The projection with the addresses of its tasks' subgraphs in another thread.
std::string projection_in(std::string projection, const std::string& thread_id);

// Whether an item's value satisfies an ItemSearch's filter.
bool item_matches(std::string_view value, std::string_view filter);

// What a NamespaceSearch gives of the namespaces that it is shown: cut to its depth, each once, in the order
// of their labels, its page of them. The search outlives it.
class NamespaceMatches {
 public:
  explicit NamespaceMatches(const NamespaceSearch& search) : search_(search) {}
  void add(std::vector<std::string> ns);
  std::vector<std::vector<std::string>> page() const;

 private:
  const NamespaceSearch& search_;
  std::set<std::vector<std::string>> found_;
};

}  // namespace dg::store
