"""The settings a new node begins with. What stands behind a # is the default; node/config says what each key means."""

from __future__ import annotations

NODE = """\
# Where this node listens, what it writes to, which core it speaks to.
id = "{id}"
listen = "{listen}"  # host:port; in front of it a proxy with TLS
# store = "sqlite:///{home}/node.db"  # or postgresql+psycopg://user:password@host/name
# api =  # host:port where officers' systems reach /v1 with a key; none = on the socket only
# log_level = "info"  # debug | info | warning | error
# log_format = "text"  # text | json

[core]
kind = "{core}"  # none | simulated | manual: tasks for a clerk | ledger: it is read, clerks hold
# path = "core.db"  # the file of a simulated core, or of the clerks' tasks, below this directory
# Of kind ledger. A path is below this directory; of sql a query yields sequence,time,from,to,amount,asset,ref;
# accounts are prefixes of the institutions whose accounts are kept here, or the chain.
{ledger}
# opening =  # CSV account,amount,asset: what there was before the first row
"""

NO_LEDGER = """\
# ledger =  # csv:PATH | sql:URL | chain:PATH
# query =  # of sql: what is read
# accounts = []"""

RULES = """\
# What this node may do before an officer looked. As it stands it does nothing by itself: unknown law, no automatic act.

[policy]
# instant_from = []  # participants by id, or all of a kind: ["NCB-ES", "@authority"]
# crimes = []  # crime codes such as "BEC"; none named = all
# asset = "EUR"  # what the four amounts count; a claim in another asset goes to an officer
# per_request = "0"  # amount: most that one request holds at once
# per_hour = "0"  # amount, per peer
# per_day = "0"  # amount, per peer
# per_account = "0"  # amount
# mandate_issued = true  # false: a request under a mandate alone goes to an officer
# power =  # id of the [[power]] below on which the node acts; none = no automatic act
# seen_within_minutes = 30  # minutes, 1 to 1440
# first_contact = "call-back"  # call-back | at-once: what a request of an officer nobody here ever spoke to waits for
# call_back_within_minutes = 5  # minutes, 1 to 60: then the second contact is called too
# questions_per_day = 100  # requests of one peer: beyond that an officer decides before anything is looked up
# introduced = []  # ["NCB-ES", "NCB-PT/rui"]: called back before this node was set up

[clocks]
# surplus_minutes = 60  # minutes, 1 to 60: what nobody keeps goes free
# keep_before_minutes = 10  # minutes, less than surplus_minutes
# patience_seconds = 120  # seconds, 1 to 3600: then somebody looks why a request is not receipted
# look_every_seconds = 60  # seconds, 1 to 3600: how often an account under hold is read again
# request_hours_max = 72  # hours, 1 to 720: how long a request of ours may be applied

[retention]
# unfounded_days = 90  # days: how long a closed case that turned out unfounded keeps what is private
# others_days = 1825  # days: how long any other does

# One table for each power that no law file has, copied from the law, with where it stands and who looked when.
#
# [[power]]
# id = "pt-1"
# country = "PT"
# article = "Law 00/0000, article 0"
# holders = ["institution"]  # authority | institution | issuer
# provisional_hours_max = 24  # hours, undecided; 0 = no hold before an officer decided
# hold_hours_max = 72  # hours, one decision
# chain_hours_max = 720  # hours, with all extensions
# reach = "amount"  # amount | value
# protected = "0"  # amount that stays with the account holder
# protected_asset = "EUR"
# notice = "free"    # required | forbidden | free: whether the account holder is told of a hold
# notice_hours = 72  # hours until the account holder is told, where that is required
# objection_hours = 120  # hours to object, and then to decide the objection
# objection_silence = "escalate"  # escalate | release
# return_notice_hours = 24  # hours between announcing a return and sending it
# review_days = 180  # days until a secured hold is reviewed
# onward = "ask"  # free | ask | we_do: whether an authority may be told where money went
# source = "https://…"
# checked_on = 2026-11-22

# A power of the law files, adopted here: arrp law show SE. A node acts alone on these and those above, no other.
#
# [[adopted]]
# law = "SE"
# power = "se-disposition-ban"
# by = "name of the legal officer"
# on = 2026-11-22
# onward = "ask"  # free | ask | we_do
# calendar = "SE"  # whose working days, where a part of the country has others: GB-ENG, CH-ZH
#
# A day that the published calendar does not know, or not so.
#
# [[day]]
# on = 2026-11-30
# why = "announced late"
# working = false  # true: people do work on it
"""
