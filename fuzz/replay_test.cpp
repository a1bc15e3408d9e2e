// Every target over its corpus and over mutations that follow from a seed: what each build and each
// compiler can afford without libFuzzer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/virtual_time.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

constexpr std::size_t longest = 4096;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Texts read_corpus(std::string_view target) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(DURAGRAPH_FUZZ_DIR) / "corpus" / target))
    files.push_back(entry.path());
  std::ranges::sort(files);  // the mutations follow from the order
  Texts out;
  for (const auto& file : files) out.push_back(read_file(file));
  return out;
}

// The entries of a dictionary of libFuzzer's: one "text" per line, with \\, \" and \xHH.
Texts read_dictionary(std::string_view target) {
  std::ifstream in(fs::path(DURAGRAPH_FUZZ_DIR) / "dictionaries" / (std::string(target) + ".dict"));
  Texts out;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with('"')) continue;
    std::string word;
    for (std::size_t i = 1; i + 1 < line.size(); ++i) {
      const bool escaped = line[i] == '\\' && ++i > 0;
      const bool hex = escaped && line[i] == 'x';
      word.push_back(hex ? static_cast<char>(std::stoi(line.substr(i + 1, 2), nullptr, 16)) : line[i]);
      if (hex) i += 2;
    }
    out.push_back(word);
  }
  return out;
}

// Changes inputs as libFuzzer does, but for coverage it knows nothing of.
class Mutator {
 public:
  Mutator(Texts corpus, Texts words) : corpus_(std::move(corpus)), words_(std::move(words)) {}

  std::string next() {
    std::string text = pick(corpus_);
    for (auto changes = 1 + below(4); changes > 0; --changes) change(text);
    text.resize(std::min(text.size(), longest));
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_.next() % bound; }
  const std::string& pick(const Texts& from) { return from[below(from.size())]; }

  void change(std::string& text) {
    const auto at = below(text.size() + 1);
    const auto length = 1 + below(std::min<std::size_t>(16, text.size() - at));
    switch (below(6)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random_.next());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(below(text.size() + 1), text.substr(at, length));
        break;
      case 3:
        text.insert(at, words_.empty() ? std::string(1, static_cast<char>(random_.next())) : pick(words_));
        break;
      case 4: {
        const auto& other = pick(corpus_);
        text.replace(at, std::string::npos, other, below(other.size()));
        break;
      }
      default:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << below(8));
    }
  }

  Texts corpus_;
  Texts words_;
  SeededRandom random_{1};
};

std::string printable(std::string_view text) {
  return ::testing::PrintToString(std::string(text));
}

class Replay : public ::testing::TestWithParam<Target> {
 protected:
  void check(std::string_view input) {
    try {
      GetParam().check(input);
    } catch (const std::exception& error) {
      FAIL() << error.what() << "\nfor the input " << printable(input);
    }
  }
  const Texts corpus_ = read_corpus(GetParam().name);
};

TEST_P(Replay, HoldsForItsCorpus) {
  ASSERT_FALSE(corpus_.empty());
  for (const auto& input : corpus_) check(input);
}

TEST_P(Replay, HoldsForMutationsOfItsCorpus) {
  Mutator mutator(corpus_, read_dictionary(GetParam().name));
  for (std::size_t i = 0; i < GetParam().mutations && !HasFailure(); ++i) check(mutator.next());
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace dg::fuzz
