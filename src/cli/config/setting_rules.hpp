// What the values of settings may be.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client/value_rules.hpp"

namespace dg::cli {

struct SettingRule {
  std::string must;  // completes "must be …"
  // Why a text may not be, without a secret; empty where `must` says it all. Nothing for a text that may be.
  std::function<std::optional<std::string>(const std::string&)> refuse;
};

SettingRule rule_of(ValueRule rule);
SettingRule any_text();
SettingRule some_text();
SettingRule token_text();  // what a header of HTTP can carry
SettingRule switch_word();
SettingRule number_above(double limit);
SettingRule number_between(double least, double most);
SettingRule fixed_port();
SettingRule one_of(std::span<const std::string_view> words);
SettingRule readable_file();
SettingRule file_or_url();
SettingRule nats_server();
SettingRule http_url();
SettingRule named_value();  // name=value, each an element of a list; the value percent-encoded
SettingRule network_text();
SettingRule origin_text();
SettingRule duration_text();
SettingRule size_text();

// The name and the decoded value of a text that named_value() lets through.
std::optional<std::pair<std::string, std::string>> read_named_value(std::string_view text);

// true, 1, yes, on, and their opposites, in any case.
std::optional<bool> read_switch(std::string_view text);

// 90s, 15m, 36h, 7d; nothing for what is none of at least a second.
std::optional<std::chrono::seconds> read_duration(std::string_view text);
// Bytes: 1048576, 512K, 64M, 1G.
std::optional<std::int64_t> read_size(std::string_view text);

// The elements of a comma-separated list, without the white space around them and without empty ones.
std::vector<std::string> split_list(std::string_view text);

}  // namespace dg::cli
