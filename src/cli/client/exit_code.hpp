// How the program ends: the one list of exit codes, and which of them an error or an answer means.
#pragma once

#include "base/result.hpp"

namespace dg::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,  // the run or the operation failed
  usage = 2,   // the command line or the request is wrong
  not_found = 3,
  unauthorized = 4,
  conflict = 5,  // it exists already, or the thread is busy
  timeout = 6,
  awaiting_human = 7,  // the run has paused and waits for a person
  unreachable = 69,    // no server answers, or not now
  interrupted = 130,   // Ctrl-C
};

// The exit code of a failed operation.
ExitCode exit_code_for(Errc code);

// The kind of error that an HTTP status of 400 or more stands for.
Errc errc_for_status(int status);

}  // namespace dg::cli
