# Targets of the source tree: one library per folder, and one test program per folder
# for the *_test.cpp files that stand beside the code.

add_library(dg_options INTERFACE)
target_compile_options(dg_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror=return-type
  -fno-omit-frame-pointer)
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

# dg_layer(NAME DEPS target...)
# Makes the library dg_NAME from this folder's sources and the program dg_NAME_test from its
# *_test.cpp files. Headers are included by their path from src/, as in "base/json.hpp"; each
# layer sees the headers of the layers it links and of no other (see `include_root` below).
function(dg_layer name)
  cmake_parse_arguments(ARG "" "" "DEPS;TEST_DEPS" ${ARGN})
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
  else()
    add_library(dg_${name} INTERFACE)
    target_include_directories(dg_${name} INTERFACE "${include_root}")
    target_link_libraries(dg_${name} INTERFACE dg_options ${ARG_DEPS})
  endif()

  if(tests)
    add_executable(dg_${name}_test ${tests})
    target_link_libraries(dg_${name}_test PRIVATE dg_${name} ${ARG_TEST_DEPS} GTest::gtest_main GTest::gmock)
    add_test(NAME ${name} COMMAND dg_${name}_test)
  endif()
endfunction()
