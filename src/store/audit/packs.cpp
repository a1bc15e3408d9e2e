#include "store/audit/packs.hpp"

#include <fmt/format.h>

namespace dg::store::audit {

void check_packs(Audit& audit, Findings& findings) {
  const auto packs = audit.packs();
  while (const auto* const pack = packs->next()) {
    const Ids ids{{"thread", pack->thread_id}, {"pack", std::to_string(pack->id)}};
    if (!pack->damage.empty()) findings.add("pack-broken", ids, pack->damage);
    for (const auto column : pack->wrong_columns)
      findings.add("pack-column", ids, fmt::format("its {} is not what it holds", column));
  }
}

Status require_whole_packs(Audit& audit) {
  const auto packs = audit.packs();
  while (const auto* const pack = packs->next())
    if (!pack->damage.empty())
      return fail(Errc::internal,
                  fmt::format("{}; what follows from its events cannot be told, so nothing was changed: "
                              "restore the database from a copy",
                              pack->damage));
  return {};
}

}  // namespace dg::store::audit
