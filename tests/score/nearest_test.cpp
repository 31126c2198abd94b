#include "score/nearest.hpp"

#include <catch2/catch.hpp>
