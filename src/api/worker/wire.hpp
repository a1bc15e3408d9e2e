// The worker protocol's messages on the wire (docs/worker-protocol.md): a JSON object, with the blobs
// it names behind it. Several may share one message of the WebSocket.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/worker_port.hpp"
#include "base/json.hpp"
#include "net/http.hpp"

namespace dg::api::worker {

// A message that came in. The others point into `text`.
struct Incoming {
  std::shared_ptr<const std::string> text;  // what it came in, maybe with others
  json::View object;
  std::vector<std::string_view> blobs;
};

// Splits and validates what came in; there is one message at least. bad_request when it breaks the
// protocol's form.
Result<std::vector<Incoming>> decode(net::WsMessage message);

// Messages as one, in order.
net::WsMessage join(std::vector<net::WsMessage> messages);

// Collects the blobs of a message that goes out.
class Blobs {
 public:
  // Writes {"type": …, "blob": index} members of `value` into the open object.
  void write(json::Writer& out, const store::TypedBlob& value);
  // The message of `object`, which must be one JSON object, with the collected blobs.
  net::WsMessage message(std::string object) const;

 private:
  std::vector<std::string> blobs_;
};

// `traced`: this server records spans, so that a worker's spans belong to the attempt's.
net::WsMessage encode(const app::ToWorker& message, bool traced = false);
net::WsMessage encode(std::span<const app::Ack> acks);

// Reads the numbered messages: owner, epoch, n and the body by `type`. invalid_argument for a `type`
// that is none of them or a field that is missing.
Result<app::OwnerMessage> read_owner_message(const Incoming& in, std::string_view type);
Result<app::Hello> read_hello(json::View in);

std::vector<std::string> read_labels(json::View list);
// The `puts` of an items message.
std::vector<app::ItemPut> read_item_puts(json::View message);
void write_tuple(json::Writer& out, Blobs& blobs, const store::CheckpointTuple& tuple);

std::string_view error_code(Errc code);
Errc error_from(std::string_view code);

}  // namespace dg::api::worker
