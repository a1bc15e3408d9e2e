#include "store/delta/document.hpp"

#include "store/delta/varint.hpp"

namespace dg::store::delta {
namespace {

// Copies a text while parts of it are replaced, from left to right.
class Splice {
 public:
  explicit Splice(std::string_view text) : text_(text) {}

  // `part` lies in the text, behind what was replaced before.
  void replace(std::string_view part, std::string_view with) {
    const auto at = static_cast<std::size_t>(part.data() - text_.data());
    out_.append(text_.substr(done_, at - done_)).append(with);
    done_ = at + part.size();
  }

  std::string finish() { return std::move(out_.append(text_.substr(done_))); }

 private:
  std::string_view text_;
  std::string out_;
  std::size_t done_ = 0;
};

}  // namespace

CutDocument cut(std::string_view text, json::View object,
                const std::function<Ref(const std::string& member, std::string_view value)>& keep) {
  if (object.raw().size() < smallest_cut) return {std::string(text), {}};
  Splice splice(text);
  std::vector<Cut> cuts;
  const auto take = [&](std::uint64_t place, const std::string& name, std::string_view value) {
    cuts.push_back({place, keep(name, value)});
    splice.replace(value, "null");
  };
  if (!object.is_object()) {
    take(Cut::whole, "", object.raw());
  } else {
    std::uint64_t place = 0;
    for (const auto& member : object.members()) {
      if (member.value.raw().size() >= smallest_cut) take(place, member.key, member.value.raw());
      ++place;
    }
  }
  return {splice.finish(), std::move(cuts)};
}

std::string restore(std::string_view text, json::View object, const std::vector<Cut>& cuts,
                    const std::function<std::string(const Ref&)>& read) {
  if (cuts.empty()) return std::string(text);
  Splice splice(text);
  const auto members = object.members();
  for (const auto& cut : cuts) {
    const auto value = cut.member < members.size() ? members[cut.member].value : object;
    splice.replace(value.raw(), read(cut.ref));
  }
  return splice.finish();
}

void put_cuts(std::string& out, const std::vector<Cut>& cuts) {
  put_varint(out, cuts.size());
  for (const auto& cut : cuts) {
    put_varint(out, cut.member + 1);
    put_varint(out, static_cast<std::uint64_t>(cut.ref.series));
    put_sized(out, cut.ref.recipe);
  }
}

bool take_cuts(std::string_view& bytes, std::vector<Cut>& cuts) {
  std::uint64_t count = 0;
  if (!take_varint(bytes, count)) return false;
  for (; count > 0; --count) {
    std::uint64_t member = 0;
    std::uint64_t series = 0;
    std::string_view recipe;
    if (!take_varint(bytes, member) || !take_varint(bytes, series) || !take_sized(bytes, recipe))
      return false;
    cuts.push_back({member - 1, {static_cast<std::int64_t>(series), std::string(recipe)}});
  }
  return true;
}

}  // namespace dg::store::delta
