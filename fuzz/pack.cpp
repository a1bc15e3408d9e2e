// Packs of finished work: no bytes crash what reads them, and what can be read is the same after it was
// written again. An input is a pack without its compression: its tables, as `encode` lays them out.
#include "store/pack/pack.hpp"

#include "store/delta/packing.hpp"
#include "store/pack/needs.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

namespace pack = store::pack;

std::string with_format(std::string_view packed) {
  std::string out(1, '\x01');
  out += packed;
  return out;
}

void check(std::string_view input) {
  (void)pack::decode(input);
  (void)pack::decode(with_format(input));
  const auto contents = pack::decode(with_format(store::delta::pack(input)));
  if (!contents) return;
  const auto again = pack::decode(pack::encode(*contents));
  expect(again && *again == *contents, "a pack that can be read comes back as it was", input);
  pack::Needs needs;
  const auto summary = pack::summary_of("thread", *contents);
  expect(pack::take_needs(summary.needs, needs), "what a pack needs can be read", input);
  for (const auto& row : contents->checkpoints)
    expect(contents->find(row.ns, row.checkpoint_id) != nullptr, "its checkpoints are found", input);
}

const Registration pack_target("pack", 20000, check);

}  // namespace
}  // namespace dg::fuzz
