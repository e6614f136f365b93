// A planted error: the test of the include graph must refuse this file.
#include "../../../../backend_threads/thread_backend.h"
