"""Names for containers that were given none: adjective_surname, as Docker's; the words are ours.

The surnames are of people who built ships, charted seas, or explained how things float and flow.
"""

import random
from collections.abc import Container

ADJECTIVES = (
    "able afloat agile airy alert amber ample aware azure balanced balmy bold bonny breezy bright brisk buoyant calm"
    " candid careful cheerful chipper civil clear clever cloudless coastal cordial cosy courteous crisp curious dapper"
    " daring dauntless deft devoted diligent dreamy driven durable eager earnest easy elegant fabled faithful fearless"
    " festive fleet fluent focused frank fresh friendly gallant genial gentle gilded glad gleaming golden graceful"
    " gracious handy happy hardy hearty helpful honest hopeful humble inventive jaunty jolly jovial joyful keen kind"
    " lithe lively loyal lucid lucky luminous mellow merry mighty mindful modest moonlit musing nautical neat nimble"
    " noble northern novel orderly patient peaceful playful plucky polished prudent punctual quaint quick quiet"
    " radiant ready resolute restful rosy sage salty sanguine seaworthy serene shiny silent silver sincere sleek smart"
    " smooth snug sparkling spirited splendid spry stalwart starlit steadfast steady stoic sturdy sunny supple sure"
    " swift tender thrifty tidal tidy tranquil trusty upbeat upright valiant versatile vibrant vigilant vivid warm"
    " watchful wavy welcome willing windy winsome wise witty wondrous worthy zealous zesty"
).split()

SURNAMES = (
    "amundsen archimedes baret beaufort behaim bering bernoulli blackwell bligh bowditch brunel cabot cartier chapman"
    " cochrane columbus cook cousteau dampier darwin davis diaz drake dumont earle ekman ellet eriksson euler"
    " fitzroy flinders forbes franklin frobisher froude fulton galilei gama gellibrand gould halley harrison hawkins"
    " henry herreshoff heyerdahl hipparchus hudson humboldt idrisi isherwood jacobsen jansz joule kelvin kepler"
    " knox kuroshio lagrange laperouse lovelace maclure magellan malaspina marcet markham marshall maskelyne maury"
    " mercator mitchell nansen navier nearchus newton nordenskiold ortelius palmer parry pascal peary piccard piri"
    " pitot polo ptolemy pytheas raleigh ramage reynolds ross sacagawea sarmiento scoresby shackleton"
    " shepard slocum smeaton somerville sperry steers stokes strabo sverdrup tasman telford tharp thomson torricelli"
    " vancouver verrazzano vespucci walker wegener weddell wilkes worsley wright zhenghe"
).split()


def random_name(taken: Container[str] = ()) -> str:
    """A name that is not in `taken`; after a while of bad luck with a digit behind it, as Docker does."""
    name = _name()
    for _ in range(5):
        if name not in taken:
            return name
        name = _name()
    while name in taken:
        name = f"{_name()}{random.randrange(10)}" if random.random() < 0.9 else f"{_name()}{random.randrange(10**6)}"
    return name


def _name() -> str:
    return f"{random.choice(ADJECTIVES)}_{random.choice(SURNAMES)}"
