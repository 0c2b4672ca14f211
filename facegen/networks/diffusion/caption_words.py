"""Words of captions of faces that have a number of their own: attributes, and what sentences about them are made of."""

_TEXT = """
a an the this that these those and or with without of in on is are was has have wears wearing looks appears to be
he she him her his hers it its they person man woman boy girl guy lady face picture photo photograph image someone
male female young old middle aged adult child teenager elderly attractive bald chubby smiling smile smiles happy
5 o clock shadow arched eyebrows bags under eyes eye bangs big lips nose small large black blond blonde brown gray
grey white red dark light hair haired blurry bushy double chin eyeglasses glasses sunglasses goatee heavy makeup
high cheekbones mouth slightly open closed mustache moustache narrow no not beard oval pale skin pointy receding
hairline rosy cheeks sideburns straight wavy curly long short earrings hat lipstick necklace necktie tie
left right front forward camera turned up down side view frontal profile at toward towards lit bright dim
skinned tan tanned asian african caucasian blue green very some little also while who whose which background
beardless blurred brows cheek chestnut clean shaven colour color complexion curled curls curved eyelids lids lip fair
fat five fringe frown full gentleman individual good looking graying half here jaw bones jet lot lower upper one pair
plump pointed portrait prominent puffy recedes temples see seen shows smooth spectacles squint stubble blush tired
thick thin tone tousled their wear we youthful top tip deep set for as than more head highlights s cap scarf suit
shirt
"""
WORDS = tuple(_TEXT.split())
