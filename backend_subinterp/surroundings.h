// What the sub-interpreter backend asks of the package's Python part, in workers and in main: what surrounds behaviors
// there (streams, warnings, imports, the mirror of main's settings).
#pragma once

#include <string>
#include <vector>

#include "compat.h"
#include "home.h"

namespace boc::py {

struct Site;

// In main: sys.path as strings, and the snapshot of all else that workers mirror. -1 with an error.
int take_snapshot(std::vector<std::string>& path, std::string& snapshot);
// In a worker's fresh interpreter, and at each later start. False: `why` says what failed; no error is left.
bool begin_surroundings(Home& home, const std::vector<std::string>& path, const std::string& snapshot,
                        std::string& why) noexcept;
bool resume_surroundings(const std::string& snapshot, std::string& why) noexcept;
// At each stop, and at the end of the interpreter.
void pause_surroundings() noexcept;
void end_surroundings() noexcept;

// What the calling thread has written goes out.
void let_output_go() noexcept;
// What the first behavior would have to wait for is imported before the first sleep: start() does not wait for it.
void warm_up() noexcept;
// In main: what workers have sent. 0, or -1 with KeyboardInterrupt or the like.
int deliver_to_main();
// In main: -1 with ImportError if the function needs a module that workers have failed to import. Cheap until then.
int refuse_imports(PyObject* function);
// In a worker: main reports the failure.
void report_in_main(PyObject* error, Site* origin) noexcept;

// _report_failure(data): for bocpy._delivery, what report_in_main() has posted.
extern PyMethodDef surroundings_methods[];

}  // namespace boc::py
