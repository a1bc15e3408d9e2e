#include "cli/project/project.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

class ReadProject : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::canonical(fs::temp_directory_path()) / "duragraph-project-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }

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
  fs::path dir_;
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

TEST_F(ReadProject, WarnsOnceOfEachKeyThatIsNotUsed) {
  for (const std::string key : {"python_version", "node_version",
                                "node_loader",    "pip_config_file",
                                "pip_installer",  "source",
                                "base_image",     "image_distro",
                                "api_version",    "dockerfile_lines",
                                "keep_pkg_tools", "docker_compose_file",
                                "store",          "auth",
                                "encryption",     "http",
                                "webhooks",       "ui",
                                "ui_config",      "disable_persistence"}) {
    const auto project = read(R"({"graphs":{"a":"a.py:g"},")" + key + R"(":{}})");
    ASSERT_TRUE(project);
    ASSERT_EQ(project->warnings.size(), 1u) << key;
    EXPECT_NE(project->warnings[0].find('"' + key + "\" is not used here; it would "), std::string::npos);
  }
  const auto unknown =
      read(R"({"graphs":{"a":"a.py:g"},"grphs":1,"checkpointer":{"serde":{},"ttl":{},"path":"x"}})");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->warnings.size(), 3u);
}

TEST_F(ReadProject, SaysWhereTheMistakeIs) {
  EXPECT_NE(complaint("{").find("langgraph.json"), std::string::npos);
  EXPECT_NE(complaint("[]").find("object"), std::string::npos);
  EXPECT_NE(complaint("{}").find("graphs"), std::string::npos);
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py"}})").find("graphs.a"), std::string::npos);
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
  write(".env", "what is this");
  EXPECT_NE(complaint(R"({"graphs":{"a":"a.py:g"}})").find(".env: line 1"), std::string::npos);
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
