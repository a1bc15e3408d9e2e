// A thread whose state grows, for tests.
#pragma once

#include <fmt/format.h>

#include <map>
#include <random>
#include <string>
#include <utility>

#include "store/records.hpp"

namespace dg::store::contract {

// A conversation whose channel `messages` grows by one message with each checkpoint.
class Conversation {
 public:
  explicit Conversation(std::string thread, std::uint32_t seed = 1)
      : thread_(std::move(thread)), random_(seed) {}

  // The next checkpoint, written by `run`.
  NewCheckpoint next(const std::string& run = "") {
    ++turn_;
    const auto message = words(500);
    json_ += (json_.empty() ? "" : ",") + std::string(R"({"content":")") + message + R"("})";
    blob_ += std::string("\xc7\0\x05", 3) + message;
    const auto id = id_of(turn_);
    NewCheckpoint c;
    c.key = {thread_, "", id};
    c.parent_id = turn_ > 1 ? id_of(turn_ - 1) : "";
    c.run_id = run;
    c.checkpoint = {"msgpack", "checkpoint " + id};
    c.channel_versions = R"({"messages":"v)" + id + R"("})";
    c.values.push_back({"messages", "v" + id, {"msgpack", head() + blob_}});
    c.projection = R"({"values":)" + values() + R"(,"next":[],"tasks":[]})";
    expected_[id] = {c.values[0].value.data, c.projection};
    return c;
  }

  std::string values() const { return R"({"before":1,"messages":[)" + json_ + R"(],"after":"x"})"; }
  void forget(const std::string& id) { expected_.erase(id); }
  // What the store must hold: for each checkpoint its blob and its projection.
  const std::map<std::string, std::pair<std::string, std::string>>& expected() const { return expected_; }
  static std::string id_of(int turn) { return fmt::format("{:04}", turn); }

 private:
  std::string head() const {
    return {'\xdc', static_cast<char>(turn_ / 256), static_cast<char>(turn_ % 256)};
  }

  std::string words(std::size_t size) {
    std::string out;
    while (out.size() < size) out += static_cast<char>(random_() % 5 == 0 ? ' ' : 'a' + random_() % 26);
    return out;
  }

  std::string thread_;
  std::mt19937 random_;
  int turn_ = 0;
  std::string json_;
  std::string blob_;
  std::map<std::string, std::pair<std::string, std::string>> expected_;
};

}  // namespace dg::store::contract
