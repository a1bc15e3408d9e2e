#include "store/delta/describe.hpp"

#include <gtest/gtest.h>

#include <random>

#include "store/delta/diff.hpp"

namespace dg::store::delta {
namespace {

// A series as a store keeps it, in memory.
class Series {
 public:
  // Appends the value and says how many bytes that took: of the log and of the recipe.
  std::size_t add(const std::string& value) {
    auto description = describe({newest_, recipe_}, log_.size(), value);
    log_ += description.literal;
    recipe_ = std::move(description.recipe);
    newest_ = value;
    EXPECT_EQ(read(recipe_), value);
    EXPECT_EQ(recipe_.size(), value.size());
    const auto stored = recipe_.encode();
    EXPECT_EQ(Recipe::decode(stored), recipe_);
    return description.literal.size() + stored.size();
  }

  std::string read(const Recipe& recipe) const {
    std::string out;
    for (const auto& piece : recipe.pieces())
      out += piece.own.empty() ? log_.substr(piece.at, piece.size) : piece.own;
    return out;
  }

  const Recipe& recipe() const { return recipe_; }
  std::size_t log_size() const { return log_.size(); }

 private:
  std::string log_, newest_;
  Recipe recipe_;
};

std::string noise(std::mt19937& random, std::size_t size) {
  std::string out(size, ' ');
  for (auto& c : out) c = static_cast<char>(random() % 256);
  return out;
}

std::string json_message(std::mt19937& random, std::size_t size) {
  std::string out = R"({"content":")";
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>('a' + random() % 26);
  return out + R"(","additional_kwargs":{},"response_metadata":{},"type":"human","name":null,"id":null})";
}

TEST(Describe, AListThatGrowsCostsWhatIsNew) {
  std::mt19937 random(1);
  Series json, packed;
  std::string items, body;
  for (int turn = 0; turn < 500; ++turn) {
    const auto message = json_message(random, 200);
    items += (turn > 0 ? "," : "") + message;
    EXPECT_LT(json.add("[" + items + "]"), message.size() + 40);
    // MessagePack: the list's length stands at its head.
    body += noise(random, 100) + message;
    const std::string head{'\xdc', static_cast<char>(turn / 256), static_cast<char>(turn % 256)};
    EXPECT_LT(packed.add(head + body), message.size() + 140);
  }
  EXPECT_LE(json.recipe().pieces().size(), 4U);
  EXPECT_LE(packed.recipe().pieces().size(), 4U);
}

TEST(Describe, AWindowThatSlidesCostsWhatIsNew) {
  std::mt19937 random(2);
  Series series;
  std::vector<std::string> window;
  std::size_t stored = 0;
  for (int turn = 0; turn < 300; ++turn) {
    window.push_back(json_message(random, 300));
    if (window.size() > 20) window.erase(window.begin());
    std::string value = "[";
    for (const auto& message : window) value += (value.size() > 1 ? "," : "") + message;
    stored += series.add(value + "]");
  }
  EXPECT_LT(stored, 300U * 600);
}

TEST(Describe, WhatIsTheSameCostsNothingOfTheLog) {
  std::mt19937 random(3);
  Series series;
  const auto value = noise(random, 5000);
  series.add(value);
  const auto recipe = series.recipe();
  EXPECT_LT(series.add(value), 10U);
  EXPECT_EQ(series.recipe(), recipe);
}

TEST(Describe, AnyEditsComeBackExactly) {
  std::mt19937 random(4);
  Series series;
  std::string value;
  for (int step = 0; step < 2000; ++step) {
    const auto at = value.empty() ? 0 : random() % value.size();
    switch (random() % 6) {
      case 0:
        value.insert(at, noise(random, random() % 300));
        break;
      case 1:
        value.erase(at, random() % 400);
        break;
      case 2:
        if (!value.empty()) value[at] = static_cast<char>(random() % 256);
        break;
      case 3:
        value += value.substr(at, random() % 500);
        break;
      case 4:
        value = value.substr(at) + value.substr(0, at);
        break;
      default:
        value += noise(random, random() % 100);
    }
    if (value.size() > 20000) value.resize(3000);
    series.add(value);
    EXPECT_LE(series.recipe().pieces().size(), 100U);
  }
}

TEST(Describe, EditsAllOverALargeValueCostLittleMoreThanThemselves) {
  std::mt19937 random(5);
  Series series;
  auto value = noise(random, 1 << 20);
  series.add(value);
  std::size_t stored = 0;
  for (int step = 0; step < 1000; ++step) {
    value.replace(random() % (value.size() - 100), 40, noise(random, 40));
    stored += series.add(value);
  }
  EXPECT_LT(stored / 1000, 8000U);
}

TEST(Recipe, BytesThatAreNoneAreRefused) {
  std::mt19937 random(6);
  Series series;
  series.add(noise(random, 1000));
  series.add(noise(random, 1000));
  const auto stored = series.recipe().encode();
  for (std::size_t size = 0; size < stored.size(); ++size) {
    const auto cut = Recipe::decode(std::string_view(stored).substr(0, size));
    EXPECT_TRUE(!cut || cut->size() < 1000);
  }
  EXPECT_FALSE(Recipe::decode(std::string(12, '\xff')));
  EXPECT_FALSE(Recipe::decode(std::string_view("\x0b\x61", 2)));  // five own bytes are told, one follows
}

TEST(FindMatches, RepeatedBytesTakeNoLongerThanOthers) {
  const std::string zeros(4 << 20, '\0');
  std::string other = zeros;
  for (std::size_t i = 100; i < other.size(); i += 4096) other[i] = 'x';
  std::size_t matched = 0;
  for (const auto& match : find_matches(zeros, other)) {
    EXPECT_EQ(zeros.substr(match.from, match.size), other.substr(match.to, match.size));
    matched += match.size;
  }
  EXPECT_GT(matched, other.size() / 2);
}

}  // namespace
}  // namespace dg::store::delta
