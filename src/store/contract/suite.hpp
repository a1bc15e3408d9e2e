// The whole contract. Include it in one test file of an adapter.
#pragma once

#include "store/contract/access.hpp"
#include "store/contract/checkpoints.hpp"
#include "store/contract/events.hpp"
#include "store/contract/finished.hpp"
#include "store/contract/frames.hpp"
#include "store/contract/history.hpp"
#include "store/contract/items.hpp"
#include "store/contract/large.hpp"
#include "store/contract/leases.hpp"
#include "store/contract/runs.hpp"
#include "store/contract/tables.hpp"
#include "store/contract/undo.hpp"
