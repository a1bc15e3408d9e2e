#include "api/worker/wire.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

namespace dg::api::worker {
namespace {

using json::View;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

net::WsMessage text(std::string data) {
  return {false, std::move(data)};
}

// A binary message: the length of the object, the object, and the blobs.
net::WsMessage binary(const std::string& object, const std::string& blobs, std::size_t length) {
  std::string data;
  for (int shift = 24; shift >= 0; shift -= 8) data.push_back(static_cast<char>(length >> shift & 0xff));
  return {true, data + object + blobs};
}
net::WsMessage binary(const std::string& object, const std::string& blobs) {
  return binary(object, blobs, object.size());
}

Errc refusal(net::WsMessage message) {
  const auto decoded = decode(std::move(message));
  return decoded ? Errc::internal : decoded.error().code;
}

// Decodes an object as an owner's message of its own type.
Result<app::OwnerMessage> read(const std::string& object, const std::string& blobs = "") {
  const auto decoded = decode(blobs.empty() ? text(object) : binary(object, blobs));
  if (!decoded) return fail(decoded.error());
  const auto& in = decoded->front();
  return read_owner_message(in, in.object["type"].string());
}
template <class Body>
Body body(const std::string& object, const std::string& blobs = "") {
  auto message = read(object, blobs);
  if (!message) throw std::runtime_error(message.error().message);
  return std::get<Body>(message->body);
}
std::string owned(const std::string& members) {
  return R"({"owner":"run","epoch":2,"n":5,)" + members + "}";
}

TEST(Decode, TakesTextAndBlobs) {
  const auto plain = decode(text(R"({"type":"beat"})"));
  ASSERT_TRUE(plain);
  ASSERT_THAT(*plain, SizeIs(1));
  EXPECT_EQ(plain->front().object["type"].string(), "beat");
  const auto full = decode(binary(R"({"blobs":[3,0,2]})", std::string("a\0bxy", 5)));
  ASSERT_TRUE(full);
  EXPECT_THAT(full->front().blobs, ElementsAre(std::string_view("a\0b", 3), "", "xy"));
}

TEST(Decode, TakesSeveralMessagesFromOne) {
  const auto several = decode(join(
      {text(R"({"type":"a"})"), binary(R"({"type":"b","blobs":[2,1]})", "xyz"), text(R"({"type":"c"})")}));
  ASSERT_TRUE(several);
  ASSERT_THAT(*several, SizeIs(3));
  EXPECT_EQ((*several)[0].object["type"].string(), "a");
  EXPECT_THAT((*several)[1].blobs, ElementsAre("xy", "z"));
  EXPECT_EQ((*several)[2].object["type"].string(), "c");
  EXPECT_THAT((*several)[2].blobs, IsEmpty());
  EXPECT_FALSE(join({text("{}")}).binary);
}

TEST(Decode, RefusesMoreMessagesInOneThanAreEverSent) {
  std::string many;
  for (int i = 0; i < 20000; ++i) many += binary("{}", "").data;
  EXPECT_EQ(refusal({true, many}), Errc::bad_request);
}

TEST(Decode, RefusesWhatIsNoMessage) {
  for (const auto* data : {"", "{", "[]", "null", "1", "\"x\"", "{\"a\":\xff}", "{} {}"})
    EXPECT_EQ(refusal(text(data)), Errc::bad_request) << data;
  EXPECT_EQ(refusal(text(std::string(2000, '[') + std::string(2000, ']'))), Errc::bad_request);
}

TEST(Decode, RefusesTruncatedAndOverlongBinaries) {
  const std::string object = R"({"blobs":[3]})";
  EXPECT_EQ(refusal({true, ""}), Errc::bad_request);
  EXPECT_EQ(refusal({true, std::string("\0\0\0", 3)}), Errc::bad_request);
  EXPECT_EQ(refusal({true, std::string("\0\0\0\0", 4)}), Errc::bad_request) << "an object of no bytes";
  EXPECT_EQ(refusal(binary(object, "abc", object.size() - 1)), Errc::bad_request);
  EXPECT_EQ(refusal(binary(object, "abc", 0xffffffff)), Errc::bad_request);
  EXPECT_EQ(refusal(binary(object, "ab")), Errc::bad_request) << "a blob is cut off";
  EXPECT_EQ(refusal(binary(object, "abcd")), Errc::bad_request) << "bytes behind the blobs";
  EXPECT_EQ(refusal(binary("{}", "x")), Errc::bad_request);
}

// Every prefix of a good message is refused, and reading it never leaves its bytes.
TEST(Decode, RefusesEveryPrefix) {
  const auto whole = binary(R"({"type":"writes","blobs":[3,4]})", "abcdefg");
  for (std::size_t length = 0; length < whole.data.size(); ++length)
    EXPECT_EQ(refusal({true, whole.data.substr(0, length)}), Errc::bad_request) << length;
  EXPECT_EQ(refusal(whole), Errc::internal) << "the whole is fine";
  for (std::size_t length = 1; length < whole.data.size(); ++length)
    EXPECT_EQ(refusal({true, whole.data + whole.data.substr(0, length)}), Errc::bad_request) << length;
}

TEST(Decode, RefusesAbsurdLengths) {
  for (const auto* lengths :
       {"[-1]", "[1.5]", "[\"3\"]", "[null]", "[18446744073709551619]", "[9223372036854775807]",
        "[9223372036854775807,9223372036854775807]", "[1e300]"})
    EXPECT_EQ(refusal(binary(std::string(R"({"blobs":)") + lengths + "}", "abc")), Errc::bad_request)
        << lengths;
}

TEST(OwnerMessage, HasItsNumbersAndItsBody) {
  const auto message = read(owned(R"("type":"frames","id":9,"frames":[["values",{"a": 1}],["custom","x"]])"));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->owner, "run");
  EXPECT_EQ(message->epoch, 2);
  EXPECT_EQ(message->n, 5);
  EXPECT_EQ(message->reply_id, 9);
  EXPECT_GT(message->bytes, 0u);
  const auto& frames = std::get<app::FramesSaid>(message->body).frames;
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_EQ(frames[0].event, "values");
  EXPECT_EQ(frames[0].data, R"({"a": 1})");
  EXPECT_EQ(frames[1].data, "\"x\"");
}

TEST(OwnerMessage, NeedsAnOwnerAnEpochAndANumber) {
  for (const auto* head :
       {R"("epoch":1,"n":1)", R"("owner":"","epoch":1,"n":1)", R"("owner":7,"epoch":1,"n":1)",
        R"("owner":"r","n":1)", R"("owner":"r","epoch":"1","n":1)", R"("owner":"r","epoch":1)",
        R"("owner":"r","epoch":1,"n":0)", R"("owner":"r","epoch":1,"n":-1)",
        R"("owner":"r","epoch":1,"n":1.5)", R"("owner":"r","epoch":1,"n":99999999999999999999)",
        R"("owner":"r","epoch":1e400,"n":1)"}) {
    const auto message = read(std::string("{") + head + R"(,"type":"frames","frames":[]})");
    ASSERT_FALSE(message) << head;
    EXPECT_EQ(message.error().code, Errc::invalid_argument);
  }
}

TEST(OwnerMessage, OfAnUnknownTypeIsRefused) {
  for (const auto* type : {"", "beat", "Frames", "lease"})
    EXPECT_EQ(read(owned(std::string(R"("type":")") + type + "\"")).error().code, Errc::invalid_argument)
        << type;
}

TEST(Frames, OfWrongTypesAreRefused) {
  for (const auto* frames :
       {R"([["values"]])", R"([["values",1,2]])", R"([[1,2]])", R"(["values"])", R"([{}])", "[[]]"})
    EXPECT_FALSE(read(owned(std::string(R"("type":"frames","frames":)") + frames))) << frames;
  EXPECT_THAT(body<app::FramesSaid>(owned(R"("type":"frames","frames":[])")).frames, IsEmpty());
}

TEST(Checkpoint, CarriesItsBlobsUntouched) {
  const std::string object = owned(
      R"("type":"checkpoint","ns":"sub","checkpoint_id":"c2","parent_id":"c1","checkpoint":{"type":"msgpack","blob":0},
         "channel_versions":{"m":"v1"},"values":[{"channel":"m","version":"v1","type":"json","blob":1},
         {"channel":"n","version":3,"type":"null","blob":1}],"metadata":{"step":1},"projection":{"values":{}},"blobs":[2,3])");
  const auto checkpoint = body<app::CheckpointSaid>(object, std::string("\0\xff"
                                                                        "abc",
                                                                        5))
                              .checkpoint;
  EXPECT_EQ(checkpoint.key.ns, "sub");
  EXPECT_EQ(checkpoint.key.checkpoint_id, "c2");
  EXPECT_EQ(checkpoint.parent_id, "c1");
  EXPECT_EQ(checkpoint.checkpoint.type, "msgpack");
  EXPECT_EQ(checkpoint.checkpoint.data, std::string("\0\xff", 2));
  EXPECT_EQ(checkpoint.channel_versions, R"({"m":"v1"})");
  ASSERT_THAT(checkpoint.values, SizeIs(2));
  EXPECT_EQ(checkpoint.values[0].value.data, "abc");
  EXPECT_EQ(checkpoint.values[1].version, "3");
  EXPECT_EQ(checkpoint.projection, R"({"values":{}})");
}

TEST(Checkpoint, ThatNamesNoBlobIsRefused) {
  for (const auto* blob : {R"({"type":"x"})", R"({"type":"x","blob":1})", R"({"type":"x","blob":-1})", "null",
                           R"({"type":"x","blob":"0"})", R"({"type":"x","blob":1e30})"})
    EXPECT_FALSE(read(
        owned(std::string(R"("type":"checkpoint","checkpoint_id":"c","blobs":[1],"checkpoint":)") + blob),
        "z"))
        << blob;
  EXPECT_FALSE(read(owned(R"("type":"checkpoint","checkpoint":{"type":"x","blob":0},"blobs":[1])"), "z"));
  EXPECT_FALSE(read(owned(R"("type":"checkpoint","checkpoint_id":"c","checkpoint":{"type":"x","blob":0},
                             "values":[{"channel":"m","blob":7}],"blobs":[1])"),
                    "z"));
}

TEST(Writes, HaveAPlaceAndABlobEach) {
  const auto writes =
      body<app::WritesSaid>(
          owned(R"("type":"writes","checkpoint_id":"c","task_id":"t","task_path":"p","task":{"error":null},
               "writes":[{"idx":0,"channel":"m","type":"json","blob":0},{"idx":-3,"channel":"__interrupt__","type":"json","blob":1}],
               "blobs":[1,1])"),
          "ab")
          .writes;
  EXPECT_EQ(writes.task_id, "t");
  EXPECT_EQ(writes.task_patch, R"({"error":null})");
  ASSERT_THAT(writes.writes, SizeIs(2));
  EXPECT_EQ(writes.writes[1].idx, -3);
  EXPECT_EQ(writes.writes[1].value.data, "b");
  EXPECT_FALSE(read(owned(R"("type":"writes","task_id":"t")")));
  EXPECT_FALSE(read(
      owned(R"("type":"writes","checkpoint_id":"c","writes":[{"channel":"m","blob":0}],"blobs":[1])"), "a"));
}

TEST(Complete, HasOneOfFourOutcomes) {
  EXPECT_EQ(body<app::CompleteSaid>(owned(R"("type":"complete","status":"success")")).outcome,
            app::Outcome::success);
  EXPECT_EQ(body<app::CompleteSaid>(owned(R"("type":"complete","status":"interrupted")")).outcome,
            app::Outcome::interrupted);
  EXPECT_EQ(body<app::CompleteSaid>(owned(R"("type":"complete","status":"cancelled")")).outcome,
            app::Outcome::cancelled);
  const auto failed = body<app::CompleteSaid>(
      owned(R"("type":"complete","status":"error","error":{"error":"ValueError","message":"no"})"));
  EXPECT_EQ(failed.outcome, app::Outcome::error);
  EXPECT_EQ(failed.error.error, "ValueError");
  for (const auto* status : {"", "ok", "Success"})
    EXPECT_FALSE(read(owned(std::string(R"("type":"complete","status":")") + status + "\""))) << status;
}

TEST(Items, ArePuts) {
  const auto puts =
      body<app::ItemsSaid>(
          owned(
              R"("type":"items","puts":[{"namespace":["a","b"],"key":"k","value":{"x":1}},{"namespace":["a"],"key":"k","value":null}])"))
          .puts;
  ASSERT_THAT(puts, SizeIs(2));
  EXPECT_THAT(puts[0].ns, ElementsAre("a", "b"));
  EXPECT_EQ(puts[0].value, R"({"x":1})");
  EXPECT_EQ(puts[1].value, "null");
}

TEST(ReadHello, NeedsASessionASecretAndSlots) {
  const std::string session = R"("session":"018f0000-0000-7000-8000-000000000000")";
  const std::string secret = R"("secret":"0123456789abcdef0123456789abcdef")";
  const auto hello =
      read_hello(View("{" + session + "," + secret + R"(,"slots":3,"revision":"git:1","supervised":true,
      "worker":{"name":"w-1"},"graphs":[{"graph_id":"agent"},{"graph_id":"broken","error":{"error":"E"}}],
      "owned":[{"owner":"r","epoch":2}]})"));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->name, "w-1");
  EXPECT_EQ(hello->slots, 3);
  EXPECT_TRUE(hello->supervised);
  EXPECT_FALSE(hello->draining);
  EXPECT_EQ(hello->graphs.at(0).error, "null");
  EXPECT_EQ(hello->graphs.at(1).error, R"({"error":"E"})");
  EXPECT_EQ(hello->owned.at(0).epoch, 2);

  const std::string slots = R"("slots":1)";
  for (const std::vector<std::string>& members : {std::vector{session, secret},
                                                  {session, slots},
                                                  {secret, slots},
                                                  {session, secret, R"("slots":-1)"},
                                                  {session, secret, R"("slots":"many")"},
                                                  {session, R"("secret":"short")", slots},
                                                  {R"("session":"me")", secret, slots}}) {
    const auto hello_text = fmt::format("{{{}}}", fmt::join(members, ","));
    EXPECT_EQ(read_hello(View(hello_text)).error().code, Errc::invalid_argument) << hello_text;
  }
}

TEST(Encode, ALeaseHasAllThatAWorkerNeeds) {
  domain::Run run;
  run.id = "r";
  run.thread_id = "t";
  run.graph_id = "agent";
  run.epoch = 3;
  run.attempt = 2;
  run.request.input = R"({"x": 1})";
  run.request.stream_modes = {"values", "custom"};
  run.request.durability = domain::Durability::sync;
  run.request.temporary = true;
  const auto message = encode(app::LeaseOffer{run});
  EXPECT_FALSE(message.binary);
  ASSERT_TRUE(json::validate(message.data, json::worker_rules)) << message.data;
  EXPECT_EQ(View(message.data)["type"].string(), "lease");
  const View lease = View(message.data)["run"];
  EXPECT_EQ(lease["run_id"].string(), "r");
  EXPECT_EQ(lease["epoch"].integer(), 3);
  EXPECT_EQ(lease["attempt"].integer(), 2);
  EXPECT_EQ(lease["input"].raw(), R"({"x": 1})");
  EXPECT_EQ(lease["stream_modes"].raw(), R"(["values","custom"])");
  EXPECT_EQ(lease["durability"].string(), "sync");
  EXPECT_EQ(lease["temporary"].boolean(), true);
  EXPECT_EQ(lease["config"]["metadata"]["run_attempt"].integer(), 2);
  EXPECT_EQ(lease["has_checkpoints"].boolean(), true);
  EXPECT_EQ(View(encode(app::LeaseOffer{run, false}).data)["run"]["has_checkpoints"].boolean(), false);
}

TEST(Encode, ALeaseCarriesTheTraceOfItsRun) {
  domain::Run run;
  run.id = "r";
  run.attempt = 1;
  EXPECT_FALSE(View(encode(app::LeaseOffer{run}).data)["run"].find("trace"));
  run.request.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  run.request.tracestate = "vendor=abc";
  const auto trace_of = [&](bool traced) {
    return std::string(View(encode(app::LeaseOffer{run}, traced).data)["run"]["trace"].raw());
  };
  EXPECT_EQ(trace_of(false),
            R"({"traceparent":")" + run.request.traceparent + R"(","tracestate":"vendor=abc"})");
  // Where attempts have spans, the worker's belong to those.
  const auto own = to_hex(attempt_span_id("r", 1));
  EXPECT_EQ(trace_of(true), R"({"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-)" + own +
                                R"(-01","tracestate":"vendor=abc"})");
}

TEST(Encode, TheOthersAreSmall) {
  EXPECT_EQ(encode(app::CancelOrder{"r", 1, domain::CancelAction::rollback}).data,
            R"({"type":"cancel","owner":"r","epoch":1,"action":"rollback"})");
  EXPECT_EQ(encode(app::Ack{"r", 1, 17}).data, R"({"type":"acks","acks":[["r",1,17]]})");
  EXPECT_EQ(encode(app::Superseded{"r", 1, "it \"ended\""}).data,
            R"({"type":"superseded","owner":"r","epoch":1,"reason":"it \"ended\""})");
  EXPECT_EQ(encode(app::WorkerRequest{4, "schemas", R"({"a":1})"}).data,
            R"({"type":"request","id":4,"method":"schemas","params":{"a":1}})");
  EXPECT_EQ(encode(app::Replied{4}).data, R"({"type":"reply","id":4,"result":null})");
  EXPECT_EQ(encode(app::DrainOrder{}).data, R"({"type":"drain"})");
}

TEST(Blobs, ATupleComesBackAsItWasWritten) {
  store::CheckpointTuple tuple;
  tuple.key = {"t", "ns", "c"};
  tuple.checkpoint = {"msgpack", std::string("\0\x01", 2)};
  tuple.metadata = R"({"step":1})";
  tuple.values = {{"m", "v1", {"json", "[1]"}}};
  tuple.writes = {{"task", "", {-3, "__interrupt__", {"empty", ""}}}};
  json::Writer out;
  Blobs blobs;
  out.begin_object().key("result");
  write_tuple(out, blobs, tuple);
  out.end_object();
  const auto decoded = decode(blobs.message(out.take()));
  ASSERT_TRUE(decoded);
  const auto& in = decoded->front();
  EXPECT_THAT(in.blobs, ElementsAre(std::string_view("\0\x01", 2), "[1]", ""));
  const View result = in.object["result"];
  EXPECT_TRUE(result["parent_id"].is_null());
  EXPECT_EQ(result["checkpoint"]["blob"].integer(), 0);
  EXPECT_EQ(result["values"].elements().at(0)["version"].string(), "v1");
  EXPECT_EQ(result["writes"].elements().at(0)["idx"].integer(), -3);
  EXPECT_EQ(result["metadata"].raw(), R"({"step":1})");
}

TEST(Blobs, WithoutAnyTheMessageIsText) {
  const auto message = Blobs().message(R"({"a":1})");
  EXPECT_FALSE(message.binary);
  EXPECT_EQ(message.data, R"({"a":1})");
}

TEST(ErrorCode, ReadsBack) {
  for (const auto code : {Errc::invalid_argument, Errc::not_found, Errc::busy, Errc::superseded,
                          Errc::unavailable, Errc::too_large, Errc::internal})
    EXPECT_EQ(error_from(error_code(code)), code);
  EXPECT_EQ(error_code(Errc::bad_request), "invalid_argument");
  EXPECT_EQ(error_code(Errc::timeout), "internal");
  EXPECT_EQ(error_from("what is this"), Errc::internal);
}

}  // namespace
}  // namespace dg::api::worker
