#include "cli/project/project.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/scratch_folder.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

class ReadProject : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((dir_ / name).parent_path());
    std::ofstream(dir_ / name) << text;
  }
  Result<Project> read(const std::string& config) const {
    write("langgraph.json", config);
    return read_project(dir_ / "langgraph.json");
  }
  // What is wrong with a configuration.
  std::string complaint(const std::string& config) const {
    const auto project = read(config);
    return project ? "" : project.error().message;
  }
  ScratchFolder folder_{"project"};
  fs::path dir_ = folder_.path();
};

TEST_F(ReadProject, TakesBothShapesOfAGraph) {
  const auto project = read(
      R"({"dependencies":["."],"graphs":{"a":"./a.py:graph","b":{"path":"b.py:make","description":"B"}}})");
  ASSERT_TRUE(project) << project.error().message;
  EXPECT_EQ(project->dir, dir_);
  ASSERT_EQ(project->graphs.size(), 2u);
  EXPECT_EQ(project->graphs[0].id, "a");
  EXPECT_EQ(project->graphs[1].description, "B");
  EXPECT_TRUE(project->warnings.empty());
}

// What is said of the keys of a langgraph.json that has `keys` beside its graphs; one sentence at most.
class UnusedKeys : public ReadProject {
 protected:
  std::string said_of(const std::string& keys) const {
    const auto project = read(R"({"graphs":{"a":"a.py:g"},)" + keys + "}");
    if (!project || project->warnings.size() > 1) return "?";
    return project->warnings.empty() ? "" : project->warnings[0];
  }
};

TEST_F(UnusedKeys, AreNamedWithWhatTheyWouldDo) {
  for (const std::string key : {"python_version", "node_version",
                                "node_loader",    "pip_config_file",
                                "pip_installer",  "source",
                                "base_image",     "image_distro",
                                "api_version",    "dockerfile_lines",
                                "keep_pkg_tools", "docker_compose_file",
                                "store",          "auth",
                                "encryption",     "http",
                                "webhooks",       "ui",
                                "ui_config",      "disable_persistence"})
    EXPECT_NE(said_of('"' + key + R"(":{})").find(" not used here: \"" + key + "\" would "),
              std::string::npos)
        << key;
}

TEST_F(UnusedKeys, BelowOthersAreNamedThemselves) {
  const std::map<std::string, std::vector<std::string>> groups{
      {"store", {"index", "ttl"}},
      {"checkpointer", {"path", "ttl"}},
      {"auth", {"path", "disable_studio_auth", "openapi", "cache"}},
      {"encryption", {"path"}},
      {"http",
       {"app", "disable_assistants", "disable_threads", "disable_runs", "disable_store", "disable_mcp",
        "disable_a2a", "disable_meta", "disable_ui", "disable_webhooks", "cors", "configurable_headers",
        "logging_headers", "middleware_order", "enable_custom_route_auth", "mount_prefix"}},
      {"webhooks", {"env_prefix", "url", "headers"}},
      {"ui_config", {"shared"}}};
  for (const auto& [group, names] : groups) {
    for (const auto& name : names) {
      const auto said = said_of(fmt::format(R"("{}":{{"{}":{{"x":1}}}})", group, name));
      const auto key = fmt::format(R"("{}.{}")", group, name);
      EXPECT_NE(said.find(" not used here: " + key + " would "), std::string::npos) << said;
      EXPECT_EQ(said.find(';'), std::string::npos) << said;
    }
    const auto said = said_of('"' + group + R"(":{"what":1})");
    EXPECT_NE(said.find('"' + group + ".what\" is not a key that is known"), std::string::npos) << said;
  }
}

TEST_F(UnusedKeys, AreNamedTogetherAndOnlyThey) {
  EXPECT_EQ(said_of(R"("$schema":"x","dependencies":["."],"env":{"A":"1"},
                      "checkpointer":{"serde":{"allowed_json_modules":[],"allowed_msgpack_modules":[]}},
                      "auth":null)"),
            "");
  EXPECT_EQ(said_of(R"("grphs":1,"checkpointer":{"serde":{"what":1},"ttl":{}},"http":{"app":"a.py:app"})"),
            "langgraph.json has keys that are not used here: \"grphs\" is not a key that is known; "
            "\"checkpointer.serde.what\" is not a key that is known; \"checkpointer.ttl\" would expire "
            "threads; \"http.app\" would mount an app of the project's own");
  const auto graph = read(R"({"graphs":{"a":{"path":"a.py:g","description":"A","tags":[]}}})");
  ASSERT_EQ(graph->warnings.size(), 1u);
  EXPECT_NE(graph->warnings[0].find("\"graphs.a.tags\" is not a key"), std::string::npos);
}

TEST_F(ReadProject, SaysWhereTheMistakeIs) {
  EXPECT_NE(complaint("{").find("langgraph.json"), std::string::npos);
  EXPECT_NE(complaint("[]").find("object"), std::string::npos);
  EXPECT_NE(complaint("{}").find("graphs"), std::string::npos);
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py"}})").find("graphs.a"), std::string::npos);
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py","b":"b.py:g","c":{}}})").find("graphs.a, graphs.c: must be"),
            std::string::npos);
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py:g"},"env":3})").find("env"), std::string::npos);
  const auto missing = read_project(dir_ / "nowhere" / "langgraph.json");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

TEST_F(ReadProject, TakesTheEnvironmentFromAFileOrAnObject) {
  write(".env", "A=1");
  write("other.env", "A=2");
  EXPECT_EQ(read(R"({"graphs":{"a":"a.py:g"}})").value().environment.at("A"), "1");
  EXPECT_EQ(read(R"({"graphs":{"a":"a.py:g"},"env":"other.env"})").value().environment.at("A"), "2");
  EXPECT_EQ(read(R"({"graphs":{"a":"a.py:g"},"env":{"A":"3","N":4}})").value().environment,
            (Environment{{"A", "3"}, {"N", "4"}}));
  EXPECT_EQ(read(R"({"graphs":{"a":"a.py:g"},"env":"gone.env"})").value().warnings.size(), 1u);
  write(".env", "A=1\nwhat is this\nB='\nC=2");
  const auto skipping = read(R"({"graphs":{"a":"a.py:g"}})");
  ASSERT_TRUE(skipping) << skipping.error().message;
  EXPECT_EQ(skipping->environment, (Environment{{"A", "1"}, {"C", "2"}}));
  ASSERT_EQ(skipping->warnings.size(), 1u);
  EXPECT_EQ(skipping->warnings[0], (dir_ / ".env").string() +
                                       " has lines that are skipped: line 2 is not NAME=VALUE, the quote of "
                                       "line 3 is never closed");
}

TEST_F(ReadProject, SaysWhatIsWrongWithTheEnvironment) {
  const std::string graphs = R"({"graphs":{"a":"a.py:g"},"env":)";
  EXPECT_NE(complaint(graphs + R"({"A=B":"1"}})").find("env.A=B: must be"), std::string::npos);
  EXPECT_NE(complaint(graphs + R"({"":"1"}})").find("env.: must be"), std::string::npos);
  EXPECT_NE(complaint(graphs + R"("."})").find("env: names a folder"), std::string::npos);
  fs::create_directories(dir_ / ".env" / "bin");
  EXPECT_EQ(complaint(R"({"graphs":{"a":"a.py:g"}})"), "") << "a virtual environment";
}

TEST_F(ReadProject, SurvivesWhatNoFileSystemTakes) {
  const std::string name(300, 'x');
  const auto project = read(R"({"graphs":{"a":")" + name + R"(/a.py:g"},"env":")" + name +
                            R"(","dependencies":[")" + name + R"("]})");
  ASSERT_TRUE(project) << project.error().message;
  EXPECT_EQ(project->warnings.size(), 1u) << "the file of the environment does not exist";
  for (const auto& file : project->sources.files) EXPECT_TRUE(file.is_absolute()) << file;
}

TEST_F(ReadProject, TakesAnObjectInPlaceOfTheFile) {
  write(".env", "A=1\nB=2");
  const auto project =
      read(R"({"graphs":{"a":"a.py:g"},"env":{"A":"3","LANGGRAPH_CONFIG":"{\"a\":{\"context\":{}}}"}})");
  ASSERT_TRUE(project) << project.error().message;
  EXPECT_EQ(project->environment.at("A"), "3");
  EXPECT_FALSE(project->environment.contains("B"));
  EXPECT_EQ(project->graphs[0].context, "{}");
}

TEST_F(ReadProject, NamesWhereAChangeMattersOutsideItsFolder) {
  write("shared/lib.py", "");
  write("secrets/target", "A=1");
  fs::create_symlink(dir_ / "secrets" / "target", dir_ / "secrets" / "link");
  write("app/langgraph.json", R"({"graphs":{"a":"../graphs/a.py:g"},"env":"../secrets/link",
                                  "dependencies":[".","../shared","langchain_openai","../gone"]})");
  const auto project = read_project(dir_ / "app" / "langgraph.json");
  ASSERT_TRUE(project) << project.error().message;
  EXPECT_EQ(project->sources.folders, (std::set{dir_ / "app", dir_ / "shared"}));
  EXPECT_EQ(project->sources.files, (std::set{dir_ / "app" / "langgraph.json", dir_ / "graphs" / "a.py",
                                              dir_ / "secrets" / "link", dir_ / "secrets" / "target"}));
}

TEST_F(ReadProject, ConfiguresDefaultAssistants) {
  write(".env", R"(LANGGRAPH_CONFIG='{"a":{"configurable":{"model":"x"},"context":{"c":1}}}')");
  const auto project = read(R"({"graphs":{"a":"a.py:g","b":"b.py:g"}})");
  ASSERT_TRUE(project) << project.error().message;
  EXPECT_EQ(project->graphs[0].config, R"({"configurable":{"model":"x"}})");
  EXPECT_EQ(project->graphs[0].context, R"({"c":1})");
  EXPECT_EQ(project->graphs[1].config, "{}");
  write(".env", "LANGGRAPH_CONFIG={");
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py:g"}})").find("LANGGRAPH_CONFIG"), std::string::npos);
}

TEST_F(ReadProject, FindsThePythonOfTheProject) {
  ::unsetenv("VIRTUAL_ENV");
  const auto make = [&](const std::string& name) {
    write(name, "");
    fs::permissions(dir_ / name, fs::perms::owner_all);
    return dir_ / name;
  };
  const auto path = make("path/python3").parent_path();
  const std::string kept = std::getenv("PATH");
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(find_python(dir_).value(), path / "python3");
  const auto plain = make("venv/bin/python");
  EXPECT_EQ(find_python(dir_).value(), plain);
  const auto hidden = make(".venv/bin/python");
  EXPECT_EQ(find_python(dir_).value(), hidden);
  const auto active = make("active/bin/python");
  ::setenv("VIRTUAL_ENV", (dir_ / "active").c_str(), 1);
  EXPECT_EQ(find_python(dir_).value(), active);
  ::unsetenv("VIRTUAL_ENV");
  ::setenv("PATH", (dir_ / "nothing").c_str(), 1);
  const auto none = find_python(dir_ / "nothing");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("pip install langgraph"), std::string::npos);
  ::setenv("PATH", kept.c_str(), 1);
}

}  // namespace
}  // namespace dg::cli
