// What most files read of the standard library, compiled once for each target: reading it is most of a build's time.
// Files still name what they use, as builds without BOC_PRECOMPILE_HEADERS have to work (CI makes one).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
