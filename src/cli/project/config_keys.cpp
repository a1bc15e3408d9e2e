#include "cli/project/config_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace dg::cli {
namespace {

using json::View;

struct Key {
  std::string_view name;
  std::string_view would;  // do, elsewhere; empty for a key that is used
};

// Every key that langgraph.json may have. Below a key that holds others come those; `*` is any name.
constexpr std::array keys{
    Key{"$schema", ""},
    Key{"graphs", ""},
    Key{"graphs.*", ""},
    Key{"graphs.*.path", ""},
    Key{"graphs.*.description", ""},
    Key{"dependencies", ""},
    Key{"env", ""},
    Key{"python_version", "choose the Python of an image"},
    Key{"node_version", "choose the Node.js of an image"},
    Key{"node_loader", "choose how TypeScript is loaded"},
    Key{"pip_config_file", "configure pip while an image is built"},
    Key{"pip_installer", "choose pip or uv while an image is built"},
    Key{"source", "say how an image's dependencies are found"},
    Key{"base_image", "choose an image's base"},
    Key{"image_distro", "choose an image's distribution"},
    Key{"api_version", "choose the version of LangGraph's own server"},
    Key{"dockerfile_lines", "add lines to an image's Dockerfile"},
    Key{"keep_pkg_tools", "keep pip in an image"},
    Key{"docker_compose_file", "add services to a composition"},
    Key{"store", "configure the memory store"},
    Key{"store.index", "index memory items for semantic search"},
    Key{"store.ttl", "expire memory items"},
    Key{"checkpointer", ""},
    Key{"checkpointer.path", "store checkpoints by the project's own code"},
    Key{"checkpointer.ttl", "expire threads"},
    Key{"checkpointer.serde", ""},
    Key{"checkpointer.serde.allowed_json_modules", ""},
    Key{"checkpointer.serde.allowed_msgpack_modules", ""},
    Key{"checkpointer.serde.pickle_fallback", ""},  // refused, which the worker says
    Key{"auth", "authenticate requests by the project's own code"},
    Key{"auth.path", "authenticate requests by the project's own code"},
    Key{"auth.disable_studio_auth", "authenticate Studio as any other client"},
    Key{"auth.openapi", "describe the authentication in the API's document"},
    Key{"auth.cache", "remember for a while whom a token belongs to"},
    Key{"encryption", "encrypt what is stored by the project's own code"},
    Key{"encryption.path", "encrypt what is stored by the project's own code"},
    Key{"http", "configure the server's paths"},
    Key{"http.app", "mount an app of the project's own"},
    Key{"http.disable_assistants", "switch off the assistants' paths"},
    Key{"http.disable_threads", "switch off the threads' paths"},
    Key{"http.disable_runs", "switch off the runs' paths"},
    Key{"http.disable_store", "switch off the memory store's paths"},
    Key{"http.disable_mcp", "switch off the graphs as MCP tools"},
    Key{"http.disable_a2a", "switch off the graphs as A2A agents"},
    Key{"http.disable_meta", "switch off the server's descriptions of itself"},
    Key{"http.disable_ui", "switch off generative user interfaces"},
    Key{"http.disable_webhooks", "refuse webhooks"},
    Key{"http.cors", "choose the web origins that may use the server, as --cors-origin does"},
    Key{"http.configurable_headers", "pass requests' headers on to runs"},
    Key{"http.logging_headers", "choose the headers that are logged"},
    Key{"http.middleware_order", "order authentication and the middleware of an app"},
    Key{"http.enable_custom_route_auth", "authenticate requests to an app's own paths"},
    Key{"http.mount_prefix", "serve everything below a path"},
    Key{"webhooks", "restrict and sign webhooks"},
    Key{"webhooks.env_prefix", "choose the variables that webhooks' headers may name"},
    Key{"webhooks.url", "restrict where webhooks go"},
    Key{"webhooks.headers", "add headers to webhooks"},
    Key{"ui", "serve components for generative user interfaces"},
    Key{"ui_config", "configure such components"},
    Key{"ui_config.shared", "share modules between such components"},
    Key{"disable_persistence", "keep nothing; here everything is kept"},
};

const Key* find_key(std::string_view name) {
  const auto* const found = std::ranges::find(keys, name, &Key::name);
  return found == keys.end() ? nullptr : found;
}

bool holds_others(std::string_view name) {
  return std::ranges::any_of(
      keys, [prefix = std::string(name) + '.'](const Key& key) { return key.name.starts_with(prefix); });
}

// `place` is where the object is in the file, `known` the same as the table writes it.
void walk(View object, const std::string& place, const std::string& known, std::vector<std::string>& out) {
  for (const auto& [name, value] : object.members()) {
    const auto here = place + name;
    const auto* key = find_key(known + name);
    if (key == nullptr) key = find_key(known + "*");
    if (key == nullptr) {
      out.push_back(fmt::format("\"{}\" is not a key that is known", here));
    } else if (value.is_object() && !value.members().empty() && holds_others(key->name)) {
      walk(value, here + '.', std::string(key->name) + '.', out);
    } else if (!key->would.empty() && !value.is_null()) {
      out.push_back(fmt::format("\"{}\" would {}", here, key->would));
    }
  }
}

}  // namespace

std::optional<std::string> describe_unused_keys(View config) {
  std::vector<std::string> unused;
  walk(config, "", "", unused);
  if (unused.empty()) return std::nullopt;
  return fmt::format("langgraph.json has keys that are not used here: {}", fmt::join(unused, "; "));
}

}  // namespace dg::cli
