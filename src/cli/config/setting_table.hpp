// The one list of settings. Flags, keys of the file, checks, `config show` and the table in
// docs/configuration.md follow from it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/config/setting_rules.hpp"
#include "cli/config/settings.hpp"

namespace dg::cli {

using SettingField =
    std::variant<std::string ServeSettings::*, bool ServeSettings::*, std::uint16_t ServeSettings::*,
                 int ServeSettings::*, double ServeSettings::*, log::Level ServeSettings::*,
                 log::Format ServeSettings::*, Texts ServeSettings::*, Networks ServeSettings::*>;

// What must not be shown: nothing, the passwords in it, or all of it. Both of the latter may come from a file
// that NAME_FILE names.
enum class Secrecy { open, url, secret };

struct Setting {
  std::string name;      // in the environment
  std::string fallback;  // the default, as text; empty: not set
  SettingField field;
  SettingRule rule;  // of the text, or of each element of a list
  std::string help;  // one line, without a full stop
  Secrecy secrecy = Secrecy::open;

  bool is_list() const;
  bool is_switch() const;
};

const std::vector<Setting>& setting_table();

// Whether it is one of those that database_conninfo() reads.
bool says_where_database_is(const Setting& setting);

// Whether it is one of those that token_rules() reads.
bool says_what_tokens_are(const Setting& setting);

// "db_host": the setting's key in a file.
std::string key_of(const Setting& setting);
// "--db-host"
std::string flag_of(const Setting& setting);

// Reads `text` into its field. A text that may not be changes nothing and gives what it must be and is not,
// fit to be shown.
Status assign(const Setting& setting, const std::string& text, ServeSettings& into);

// The value as text, and as JSON; secrets are masked. Empty, or null, for what is not set.
std::string shown_value(const Setting& setting, const ServeSettings& settings);
std::string shown_json(const Setting& setting, const ServeSettings& settings);

}  // namespace dg::cli
