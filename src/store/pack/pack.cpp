#include "store/pack/pack.hpp"

#include <algorithm>
#include <type_traits>

#include "store/delta/packing.hpp"
#include "store/delta/varint.hpp"
#include "store/pack/needs.hpp"

namespace dg::store::pack {
namespace {

constexpr char format = 1;

// Numbers of a column mostly grow a little from row to row.
std::uint64_t zigzag(std::uint64_t difference) {
  return difference << 1 ^ (0 - (difference >> 63));
}
std::uint64_t unzigzag(std::uint64_t value) {
  return value >> 1 ^ (0 - (value & 1));
}

class Encoder {
 public:
  template <class Row>
  void table(const std::vector<Row>& rows) {
    put_varint(out_, rows.size());
    std::apply([&](auto... member) { (column(rows, member), ...); }, Row::columns());
  }
  std::string take() { return std::move(out_); }

 private:
  template <class Row>
  void column(const std::vector<Row>& rows, std::string Row::* member) {
    for (const auto& row : rows) put_sized(out_, row.*member);
  }
  template <class Row>
  void column(const std::vector<Row>& rows, Bytes Row::* member) {
    for (const auto& row : rows) put_sized(out_, (row.*member).bytes);
  }
  template <class Row>
  void column(const std::vector<Row>& rows, std::int64_t Row::* member) {
    std::uint64_t previous = 0;
    for (const auto& row : rows) {
      const auto value = static_cast<std::uint64_t>(row.*member);
      put_varint(out_, zigzag(value - previous));
      previous = value;
    }
  }

  std::string out_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  // False when the bytes hold no whole table.
  template <class Row>
  bool table(std::vector<Row>& rows) {
    std::uint64_t count = 0;
    if (!take_varint(bytes_, count)) return false;
    // Each column of a row takes a byte or more.
    if (count > bytes_.size() / std::tuple_size_v<decltype(Row::columns())>) return false;
    rows.resize(count);
    return std::apply([&](auto... member) { return (column(rows, member) && ...); }, Row::columns());
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  template <class Row>
  bool column(std::vector<Row>& rows, std::string Row::* member) {
    return std::ranges::all_of(rows, [&](auto& row) { return text(row.*member); });
  }
  template <class Row>
  bool column(std::vector<Row>& rows, Bytes Row::* member) {
    return std::ranges::all_of(rows, [&](auto& row) { return text((row.*member).bytes); });
  }
  template <class Row>
  bool column(std::vector<Row>& rows, std::int64_t Row::* member) {
    std::uint64_t value = 0;
    for (auto& row : rows) {
      std::uint64_t difference = 0;
      if (!take_varint(bytes_, difference)) return false;
      value += unzigzag(difference);
      row.*member = static_cast<std::int64_t>(value);
    }
    return true;
  }
  bool text(std::string& out) {
    std::string_view found;
    if (!take_sized(bytes_, found)) return false;
    out = found;
    return true;
  }

  std::string_view bytes_;
};

// FNV-1a; what is stored must be the same in every build and on every machine.
class Hash {
 public:
  Hash& add(std::string_view text) {
    for (const char c : text) add(c);
    add('\0');
    return *this;
  }
  std::int64_t value() const { return static_cast<std::int64_t>(value_); }

 private:
  void add(char c) {
    value_ ^= static_cast<unsigned char>(c);
    value_ *= 0x100000001b3;
  }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

const CheckpointRow* Contents::find(std::string_view ns, std::string_view checkpoint_id) const {
  const auto found = std::ranges::find_if(
      checkpoints, [&](const auto& row) { return row.checkpoint_id == checkpoint_id && row.ns == ns; });
  return found == checkpoints.end() ? nullptr : &*found;
}

std::string encode(const Contents& contents) {
  Encoder encoder;
  encoder.table(contents.checkpoints);
  encoder.table(contents.values);
  encoder.table(contents.writes);
  encoder.table(contents.tasks);
  encoder.table(contents.events);
  encoder.table(contents.requests);
  return format + delta::pack(encoder.take(), delta::Effort::thorough);
}

Result<Contents> decode(std::string_view bytes) {
  if (bytes.empty()) return fail(Errc::internal, "it is empty");
  if (bytes.front() != format) return fail(Errc::internal, "it has a format that this program does not know");
  const auto unpacked = delta::unpack(bytes.substr(1));
  if (!unpacked) return fail(Errc::internal, "it cannot be unpacked");
  Contents out;
  Decoder decoder(*unpacked);
  const bool whole = decoder.table(out.checkpoints) && decoder.table(out.values) &&
                     decoder.table(out.writes) && decoder.table(out.tasks) && decoder.table(out.events) &&
                     decoder.table(out.requests) && decoder.at_end();
  if (!whole) return fail(Errc::internal, "what it unpacks to are no whole tables");
  return out;
}

std::int64_t key_of_run(std::string_view run_id) {
  return Hash().add("run").add(run_id).value();
}

std::int64_t key_of_namespace(std::string_view thread_id, std::string_view ns) {
  return Hash().add("namespace").add(thread_id).add(ns).value();
}

std::int64_t key_of_version(std::string_view thread_id, std::string_view ns, std::string_view version) {
  return Hash().add("version").add(thread_id).add(ns).add(version).value();
}

Summary summary_of(std::string_view thread_id, const Contents& contents) {
  Summary out;
  for (const auto& row : contents.checkpoints) {
    if (out.first_checkpoint_id.empty() || row.checkpoint_id < out.first_checkpoint_id)
      out.first_checkpoint_id = row.checkpoint_id;
    out.last_checkpoint_id = std::max(out.last_checkpoint_id, row.checkpoint_id);
    for (const auto& run : {row.run_id, row.metadata_run_id})
      if (!run.empty()) out.keys.push_back(key_of_run(run));
    out.keys.push_back(key_of_namespace(thread_id, row.ns));
  }
  for (const auto& row : contents.values) out.keys.push_back(key_of_version(thread_id, row.ns, row.version));
  std::ranges::sort(out.keys);
  const auto repeated = std::ranges::unique(out.keys);
  out.keys.erase(repeated.begin(), repeated.end());
  out.needs = encode_needs(needs_of(contents));
  return out;
}

}  // namespace dg::store::pack
