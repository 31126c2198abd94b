// The address of a database as the user gave it, looked at before a client library sees it: what a
// library makes of a password that is not written as an address asks may end up in its messages.
// Pure functions; any thread.
#pragma once

#include <string>

namespace longhaul::export_room {

// Throws Error(kUsage), which never has the address in it, unless `uri` is postgresql://... or
// postgres://... whose user, password, host and port can be told apart in one way.
void require_database_uri(const std::string& uri);

}  // namespace longhaul::export_room
