"""Sentences to synthesise: assistant requests with wide coverage of names, devices and numbers.

The texts that come as files (requests collected from people) say little about contacts and
devices, and repeat few words often. The templates here fill that gap; names come from Faker.
"""

import random
from collections.abc import Iterator

ROOMS = """kitchen|bedroom|living room|bathroom|hallway|den|attic|basement|garage|study|nursery|office|dining room|
porch|patio|garden|guest room|laundry room|cellar|balcony|entrance|playroom|library|closet|pantry|stairs|loft|
workshop|sunroom|backyard|front yard|driveway|shed|upstairs|downstairs|corridor|utility room"""
DEVICES = """lamp|light|lights|fan|heater|thermostat|radiator|television|tv|speaker|blinds|curtains|shutters|oven|
kettle|coffee machine|dishwasher|washing machine|dryer|vacuum|robot|camera|doorbell|lock|alarm|plug|socket|switch|
sprinkler|humidifier|air conditioner|air purifier|projector|radio|printer|router|fireplace|floor lamp|desk lamp|
ceiling light|night light|garage door|front door|back door|gate|window|fridge|freezer|toaster|dimmer|string lights"""
COLORS = "red|green|blue|white|warm white|cool white|yellow|orange|purple|pink|turquoise|violet|amber|teal|daylight"
MEDIA = """jazz|rock|classical music|the news|my playlist|some music|a podcast|the radio|an audio book|country|blues|
hip hop|reggae|folk songs|lullabies|piano music|the beatles|dance music|opera|ambient sounds|white noise|rain sounds|
christmas songs|my workout mix|something relaxing|the latest album|love songs|heavy metal|my favourite song|soul"""
FOODS = """milk|bread|eggs|butter|cheese|rice|pasta|tomatoes|onions|potatoes|apples|bananas|oranges|lemons|chicken|
beef|fish|salt|pepper|sugar|flour|oil|coffee|tea|honey|yogurt|cereal|carrots|spinach|garlic|ginger|chocolate|juice|
water|beer|wine|soap|shampoo|toothpaste|paper towels|batteries|light bulbs|oat milk|almond butter|brown rice|ice cream|
whole wheat bread|sour cream|syrup|cinnamon|vanilla|soda|cookies|crackers|salad|soup|sandwiches|peanut butter"""
MESSAGES = """i am running late|i'll be there soon|dinner is ready|can you pick up the kids|where are you|call me back|
i'm on my way|happy birthday|see you tomorrow|thank you so much|the meeting is cancelled|don't forget the milk|
i love you|good luck today|are you home yet|we need to talk|let's meet at noon|the train is delayed|
i can't make it tonight|what time is it over there|bring an umbrella|it's raining here|i will call you later|
please send me the address|how was your day|sorry i missed your call|the package has arrived|leave the door open"""
TOPICS = """the capital of france|the weather tomorrow|the time in tokyo|the height of mount everest|my next appointment|
the price of gold|the population of china|the square root of eighty one|the meaning of gratitude|the traffic like|
the score of the game|on my calendar|on my shopping list|the temperature outside|the battery level|playing right now|
the date today|the distance to the moon|the definition of entropy|the stock market doing|the forecast for sunday"""
SUBJECTS = """i|you|he|she|they|we|the boy|the girl|my mother|my father|his brother|her sister|the teacher|the old man|
the woman|our dog|the cat|a bird|the children|people|my friend|the driver|that man|this one|everyone|nobody|someone"""
PAST_VERBS = """saw|found|took|gave up|looked at|wanted|liked|heard about|lost|bought|made|forgot|thought about|talked about|
waited for|asked for|opened|closed|carried|broke|painted|knew|left|remembered|needed|ran to|walked to|sat near|pointed at"""
OBJECTS = """the house|a book|the white car|some water|the river|a long letter|his hat|the window|her hand|the big tree|
the ball|a small box|the red shoes|the picture|the market|their food|the street|a good idea|the mountain|an old friend|
the morning|the music|the game|a cup of tea|the new school|the table|the blue sky|the whole story|the answer|a job"""
TAILS = """|||in the morning|last night|very quickly|at school|near the park|after lunch|before the rain|again|
for a long time|with a smile|on the floor|in the dark|every day|on monday|without a word|at the same time|too|right now"""
QUESTIONS = """where is {o}|who took {o}|why did {s} leave|when will {s} come back|how did {s} find {o}|do you like {o}|
have you seen {o}|can {s} wait here|what did {s} say|is this {o}|was it {o}|did {s} see {o}|should {s} go home now"""
ONES = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|today|tonight|next week|this weekend"
MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"

TEMPLATES: dict[str, tuple[str, ...]] = {
    "contact": (
        "call {name}", "call {name} please", "phone {name}", "dial {name}", "video call {name}", "ring {name}",
        "call {first} on {pronoun} mobile", "call {name} at work", "send a message to {name}", "text {name}",
        "message {first} {message}", "tell {name} {message}", "text {first} that {message}", "answer {first}'s call",
        "send {first} a message saying {message}", "call {first}'s phone", "read the last message from {name}",
        "did {name} call me", "remind me to call {name} {day}", "add {name} to my contacts", "hang up on {first}",
        "invite {name} to dinner on {day}", "what is {name}'s number", "email {name} about the {room}",
        "start a conference call with {first} and {first}", "call {relation}", "text my {relation}", "{name}",
        "call doctor {last}", "leave a voicemail for {name}", "share my location with {first}", "when is {name}'s birthday",
    ),
    "device": (
        "turn on the {device}", "turn off the {device}", "turn on the {room} {device}", "turn off the {room} {device}",
        "switch the {device} in the {room} off", "switch on the {room} {device}", "dim the {room} lights to {number} percent",
        "set the {room} to {number} degrees", "make the {room} lights {color}", "set the {device} to {color}",
        "close the {room} blinds", "open the {device} in the {room}", "is the {room} {device} on", "lock the {device}",
        "turn everything off in the {room}", "start the {device}", "stop the {device}", "pause the {room} {device}",
        "lower the {device}", "raise the {room} temperature by {number} degrees", "turn up the {device}",
        "turn down the {device} in the {room}", "show me the {room} camera", "did i leave the {device} on",
        "turn the {device} on at {time}", "turn off {first}'s {device}", "what's the temperature in the {room}",
        "unlock the {device}", "good night", "lights on", "lights off", "set brightness to {number}", "more light in the {room}",
    ),
    "timer": (
        "set a timer for {number} minutes", "set a {number} minute timer", "wake me up at {time}", "cancel the timer",
        "set an alarm for {time}", "set an alarm for {time} on {day}", "how much time is left", "stop the alarm", "snooze",
        "remind me to {task} at {time}", "remind me {day} to {task}", "start a stopwatch", "add {number} minutes",
        "timer for {number} seconds", "delete my {time} alarm", "schedule a meeting with {first} on {day} at {time}",
        "what's on my calendar for {day}", "cancel my appointment on {month} {ordinal}", "count down from {number}",
    ),
    "media": (
        "play {media}", "play {media} in the {room}", "next song", "skip this track", "pause", "resume", "stop the music",
        "volume up", "volume down", "set the volume to {number}", "play {media} on the {device}", "shuffle {media}",
        "what song is this", "repeat this song", "play the album by {name}", "play something by {name}", "turn it up",
        "turn it down", "mute", "louder please", "play channel {number}", "find {media} by {last}",
    ),
    "ask": (
        "what is {topic}", "what's {topic}", "tell me {topic}", "tell me a joke", "what time is it", "how are you",
        "add {food} to my shopping list", "add {food} and {food} to the list", "remove {food} from the list",
        "how do i cook {food}", "order {number} {food}", "i would like a {size} {food} with {food}", "i want some {food}",
        "can i have {food} with {food}", "get me a {size} {food}", "could you give me some {food} and {food}", "may i have the {food}",
        "how many calories are in {food}", "what is {number} plus {number}", "what is {number} times {number}",
        "convert {number} miles to kilometers", "is there any {food} left", "make me a {size} cup of {food}", "yes", "no",
        "yes please", "no thank you", "never mind", "cancel that", "thank you", "okay", "help", "stop", "go back",
        "i'd like {number} {food} please", "buy a bit of {food}", "we need a lot of {food}", "bring lots of {food}",
    ),
    "talk": (
        "{s} {v} {o}", "{s} {v} {o} {tail}", "{s} {v} {o} and {v} {o}", "{question}", "{s} said {s} {v} {o}", "{number} {number} {number}",
        "{digits}", "{tail} {s} {v} {o}", "i think {s} {v} {o}", "{s} never {v} {o}", "this is {o}", "there was {o} {tail}",
        "it was {o} that {s} {v}", "if {s} {v} {o} i will be happy", "{s} {v} {o} because {s} {v} {o}", "{s} can see {o}",
        "{s} will be at {o} {tail}", "{s} could not see {o}", "look at {o}", "{s} and {s} {v} {o}",
    ),
}
WEIGHTS = {"contact": 26, "device": 22, "timer": 10, "media": 8, "ask": 16, "talk": 18}
TASKS = """buy {food}|call {name}|take out the trash|feed the dog|water the plants|do the laundry|pay the rent|
take my medicine|book a table|check the oven|clean the {room}|walk the cat|write to {first}|charge the phone"""
RELATIONS = "mom|dad|mum|grandma|grandpa|wife|husband|brother|sister|boss|doctor|dentist|neighbour|aunt|uncle|babysitter"
SIZES = "small|large|medium|big|tiny|double|single|triple|hot|cold|iced|fresh"


def spell_number(value: int) -> str:
    """Spell ``value`` (0 to 9999) the way people say it to a machine."""
    if value < 10:
        return ONES[value]
    if value < 20:
        return TEENS[value - 10]
    if value < 100:
        tens, ones = divmod(value, 10)
        return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")
    if value < 1000:
        hundreds, rest = divmod(value, 100)
        return f"{ONES[hundreds]} hundred" + (f" {spell_number(rest)}" if rest else "")
    thousands, rest = divmod(value, 1000)
    return f"{spell_number(thousands)} thousand" + (f" {spell_number(rest)}" if rest else "")


def generate(seed: int) -> Iterator[str]:
    """Yield sentences without end, drawn from the templates by ``WEIGHTS``; same seed, same sentences."""
    from faker import Faker

    names = Faker(["en_US", "en_GB", "en_IN", "de_DE", "es_ES"])
    names.seed_instance(seed)
    rng = random.Random(seed)
    lists = {key: [item.strip() for item in text.replace("\n", "").split("|")] for key, text in {
        "room": ROOMS, "device": DEVICES, "color": COLORS, "media": MEDIA, "food": FOODS, "message": MESSAGES,
        "topic": TOPICS, "s": SUBJECTS, "v": PAST_VERBS, "o": OBJECTS, "tail": TAILS, "question": QUESTIONS, "day": DAYS,
        "month": MONTHS, "task": TASKS, "relation": RELATIONS, "size": SIZES,
    }.items()}

    def fill(slot: str) -> str:
        if slot == "first":
            return names["en_US"].first_name() if rng.random() < 0.7 else names.first_name()
        if slot == "last":
            return names["en_US"].last_name() if rng.random() < 0.7 else names.last_name()
        if slot == "name":
            return f"{fill('first')} {fill('last')}" if rng.random() < 0.7 else fill("first")
        if slot == "pronoun":
            return rng.choice(["his", "her", "their"])
        if slot == "number":
            return spell_number(rng.choice([rng.randrange(10), rng.randrange(100), rng.randrange(10, 60), rng.randrange(1000)]))
        if slot == "digits":
            return " ".join(rng.choice(ONES) for _ in range(rng.randint(2, 6)))
        if slot == "time":
            return f"{spell_number(rng.randint(1, 12))} {rng.choice(['', 'fifteen', 'thirty', 'forty five', 'am', 'pm', chr(111) + chr(39) + 'clock', 'in the morning'])}"
        if slot == "ordinal":
            return rng.choice("first second third fourth fifth sixth tenth twelfth twentieth thirtieth".split())
        return rng.choice(lists[slot])

    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        text = rng.choice(TEMPLATES[rng.choices(kinds, weights)[0]])
        while "{" in text:
            start = text.index("{")
            end = text.index("}", start)
            text = text[:start] + fill(text[start + 1 : end]) + text[end + 1 :]
        text = normalise(text)
        if text:
            yield text


def normalise(text: str) -> str:
    """Lower case, letters and apostrophes only, single spaces; empty if other letters are in it."""
    text = text.lower().replace("-", " ").replace(".", " ").replace("\u2019", "'")
    if any(char.isalpha() and not "a" <= char <= "z" for char in text):
        return ""
    return " ".join("".join(char if char.isalpha() or char in "' " else " " for char in text).split())
