// Loaded before libfaketime, which moves the steady clock's timers with the wall clock: an hour ahead it makes
// "at once" a time before the machine's start, which the kernel refuses, and an event loop waits for ever.
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

extern "C" int timerfd_settime(int timer, int flags, const itimerspec* value, itimerspec* old) noexcept {
  return static_cast<int>(syscall(SYS_timerfd_settime, timer, flags, value, old));
}

extern "C" int timerfd_gettime(int timer, itimerspec* value) noexcept {
  return static_cast<int>(syscall(SYS_timerfd_gettime, timer, value));
}
