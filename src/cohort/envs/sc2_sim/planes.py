"""What a unit's numbers and an agent's actions mean."""

# Planes of the unit tensor [P, B, U]. X and Y are metres from the map's centre. COOLDOWN and UNHURT are ticks left
# until the unit may fire and until its shield recovers. SHIELD and UNHURT exist only on maps with shields or
# armour, ENERGY only on maps with medivacs.
X, Y, HEALTH, COOLDOWN, SHIELD, UNHURT, ENERGY = range(7)

NO_OP, STOP, NORTH, SOUTH, EAST, WEST, FIRST_ATTACK = range(7)

# Far enough for its square to overflow: a goal at infinite distance is one nobody takes a step towards, and a
# dead unit put there is out of every range, pushes nobody and needs no mask anywhere in the tick.
NOWHERE = 1e20
