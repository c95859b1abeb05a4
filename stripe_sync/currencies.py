"""What Stripe says about currencies: exponents, minimum charges, odd digits.

Sources: docs.stripe.com/currencies as restated in the project's Stripe reference
(fact 4). Amounts everywhere are integers in the minor unit.
"""

from __future__ import annotations


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


ZERO_DECIMAL = _codes("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
THREE_DECIMAL = _codes("bhd jod kwd omr tnd")

# Charges in these must be a multiple: ISK is sent with two decimals that are always
# 00; three-decimal currencies end in 0.
GRANULARITY = {"isk": 100} | dict.fromkeys(THREE_DECIMAL, 10)

SUPPORTED = (
    ZERO_DECIMAL
    | THREE_DECIMAL
    | _codes(
        """
        usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl
        bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd
        fkp gbp gel ghs gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd kes
        kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn
        myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar
        sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx
        uyu uzs wst xcd xcg yer zar zmw
        """
    )
)

# Smallest amount a card can be charged, minor units. A currency without an entry
# converts to the settlement currency, where USD 0.50 or its like applies.
MINIMUM_CHARGE = {
    "usd": 50,
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
}

# Eight digits: the most one charge can carry (fact 5).
MAXIMUM_CHARGE = 99_999_999


def minimum_charge(currency: str) -> int:
    """Smallest chargeable amount in minor units, 0 where Stripe names none."""
    return MINIMUM_CHARGE.get(currency, 0)


def granularity(currency: str) -> int:
    """Amounts in this currency must be a multiple of this many minor units."""
    return GRANULARITY.get(currency, 1)
