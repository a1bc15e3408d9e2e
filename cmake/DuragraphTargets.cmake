# Targets of the source tree: one library per folder, and one test program per folder
# for the *_test.cpp files that stand beside the code.

add_library(dg_options INTERFACE)
target_compile_options(dg_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror=return-type
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # A precompiled header with its time in it would be another one for ccache after every build.
  target_compile_options(dg_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()
target_compile_definitions(dg_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_DATE_TIME SPDLOG_FMT_EXTERNAL)

option(DURAGRAPH_WERROR "Treat warnings as errors" OFF)
if(DURAGRAPH_WERROR)
  target_compile_options(dg_options INTERFACE -Werror)
endif()

set(DURAGRAPH_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")
if(DURAGRAPH_SANITIZE)
  target_compile_options(dg_options INTERFACE -fsanitize=${DURAGRAPH_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(dg_options INTERFACE -fsanitize=${DURAGRAPH_SANITIZE})
endif()

option(DURAGRAPH_FUZZ "Make libFuzzer's programs in place of the test that replays their corpus" OFF)

option(DURAGRAPH_PCH "Parse the common headers once (src/base/pch.hpp)" ON)

# Coroutines and variants are templates that every file instantiates anew: files that are compiled together
# share them, which makes a cold build twice as fast. Names of their own must then differ, see SEPARATE below.
option(DURAGRAPH_UNITY "Compile several files of a target at a time" ON)
set(CMAKE_UNITY_BUILD ${DURAGRAPH_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 4)

# Gives a target the precompiled header that the base layer builds.
function(dg_use_pch target)
  if(NOT DURAGRAPH_PCH)
    return()
  endif()
  if(target STREQUAL "dg_base")
    target_precompile_headers(dg_base PRIVATE "${PROJECT_SOURCE_DIR}/src/base/pch.hpp")
  else()
    target_precompile_headers(${target} REUSE_FROM dg_base)
  endif()
endfunction()

# What all test programs share. They are compiled for speed of building, by half: what they test keeps the
# preset's optimisation.
add_library(dg_test_options INTERFACE)
target_link_libraries(dg_test_options INTERFACE dg_options GTest::gtest_main GTest::gmock)
target_compile_options(dg_test_options INTERFACE $<$<CONFIG:Release>:-O0>)
if(DURAGRAPH_PCH)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/test_pch.cpp" CONTENT "")
  add_library(dg_test_pch OBJECT "${PROJECT_BINARY_DIR}/generated/test_pch.cpp")
  target_link_libraries(dg_test_pch PRIVATE dg_test_options dg_base)
  target_precompile_headers(dg_test_pch PRIVATE "${PROJECT_SOURCE_DIR}/src/base/pch.hpp" <gtest/gtest.h> <gmock/gmock.h>)
endif()

# dg_layer(NAME DEPS target... [SEPARATE] [SEPARATE_TESTS])
# Makes the library dg_NAME from this folder's sources and the program dg_NAME_test from its
# *_test.cpp files. Headers are included by their path from src/, as in "base/json.hpp"; each
# layer sees the headers of the layers it links and of no other (see `include_root` below).
# SEPARATE, SEPARATE_TESTS: the files of the library, or of its tests, have names in common, so each is
# compiled alone.
function(dg_layer name)
  cmake_parse_arguments(ARG "SEPARATE;SEPARATE_TESTS" "" "DEPS;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  # Each layer's headers are seen through a folder of its own that holds one link to it, so
  # that linking a layer is the only way to include from it.
  set(include_root "${PROJECT_BINARY_DIR}/layers/${name}")
  file(MAKE_DIRECTORY "${include_root}")
  file(RELATIVE_PATH top "${PROJECT_SOURCE_DIR}/src" "${CMAKE_CURRENT_SOURCE_DIR}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${include_root}/${top}" SYMBOLIC)

  if(sources)
    add_library(dg_${name} STATIC ${sources})
    target_include_directories(dg_${name} PUBLIC "${include_root}")
    target_link_libraries(dg_${name} PUBLIC dg_options ${ARG_DEPS})
    dg_use_pch(dg_${name})
    if(ARG_SEPARATE)
      set_target_properties(dg_${name} PROPERTIES UNITY_BUILD OFF)
    endif()
  else()
    add_library(dg_${name} INTERFACE)
    target_include_directories(dg_${name} INTERFACE "${include_root}")
    target_link_libraries(dg_${name} INTERFACE dg_options ${ARG_DEPS})
  endif()

  if(tests)
    add_executable(dg_${name}_test ${tests})
    target_link_libraries(dg_${name}_test PRIVATE dg_${name} ${ARG_TEST_DEPS} dg_test_options)
    if(DURAGRAPH_PCH)
      target_precompile_headers(dg_${name}_test REUSE_FROM dg_test_pch)
    endif()
    if(ARG_SEPARATE_TESTS)
      set_target_properties(dg_${name}_test PROPERTIES UNITY_BUILD OFF)
    endif()
    add_test(NAME ${name} COMMAND dg_${name}_test)
  endif()
endfunction()
