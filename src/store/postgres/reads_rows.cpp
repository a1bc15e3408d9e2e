#include "store/postgres/reads_rows.hpp"

#include <map>

#include "store/documents.hpp"

namespace dg::store::postgres {
namespace {

std::map<std::string, std::string> patches_from(std::string_view json) {
  std::map<std::string, std::string> out;
  for (auto& [task, patch] : json::View(json).members()) out.emplace(std::move(task), patch.string());
  return out;
}

}  // namespace

std::vector<domain::Run> read_run_rows(Rows& rows) {
  std::vector<domain::Run> out;
  while (rows.next()) out.push_back(read_run_row(rows));
  return out;
}

StoredState read_state_row(Rows& row, SeriesValues& wanted) {
  StoredState out;
  out.state.key.thread_id = row.text();
  out.state.key.ns = row.text();
  out.state.key.checkpoint_id = row.text();
  out.state.parent_id = row.text();
  out.state.metadata = row.text();
  out.state.projection = row.text();
  auto cuts = row.view();
  if (!cuts.empty() && !delta::take_cuts(cuts, out.cuts)) out.cuts.clear();
  for (const auto& cut : out.cuts) wanted.want(cut.ref);
  // Patches are laid over while the text is still short.
  if (const auto patches = row.optional_text())
    out.state.projection = apply_patches(std::move(out.state.projection), patches_from(*patches));
  return out;
}

CheckpointState whole_state(StoredState stored, SeriesValues& values) {
  auto& projection = stored.state.projection;
  if (!stored.cuts.empty())
    projection = delta::restore(projection, json::View(projection)["values"], stored.cuts,
                                [&](const delta::Ref& ref) { return values.value(ref); });
  return std::move(stored.state);
}

bool asks_nothing(std::string_view filter) {
  return json::View(filter).members().empty();
}

}  // namespace dg::store::postgres
