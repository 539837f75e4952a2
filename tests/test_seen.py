"""Value functions that see displaced sites by half, or not at all, and jumps at sites."""

import functools
from itertools import combinations

import kwant
import numpy as np
import pytest

import kwant_curl as kc

LAT = kwant.lattice.square(norbs=1)
ENERGY = -2.5


def apart(a, b):
    """Return the distance of two positions."""
    return float(np.linalg.norm(np.array(a, float) - np.array(b, float)))


def strip(hopping, onsite=0.0, *, length=6, width=3):
    """Return a strip with these values between two plain leads."""
    syst = kwant.Builder()
    syst[(LAT(x, y) for x in range(length) for y in range(width))] = onsite
    syst[LAT.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(LAT(0, y) for y in range(width))] = 0
    lead[LAT.neighbors()] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized()


def onsite(site):
    """Return a potential without symmetries."""
    x, y = site.pos
    return 0.3 * np.exp(-((x - 2.2) ** 2) - (y - 0.4) ** 2)


def inverse_square(a, b):
    """Return the hopping as everybody writes it."""
    return -(apart(a.pos, b.pos) ** -2)


def family_of_second(a, b):
    """Return the same, the second site's position by its family and tag."""
    return -(apart(a.pos, b.family.pos(b.tag)) ** -2)


WHERE = [LAT(2, 1), LAT(3, 1), LAT(2, 2)]


def response(syst, **keywords):
    """Return the response of a few sites."""
    return kc.force_response(syst, kc.Displacements(WHERE), ENERGY, **keywords)


def test_positions_by_family_and_tag_are_seen():
    """The displaced site's family is displaced too: nothing is half seen, in both derivatives."""
    right = response(strip(inverse_square, onsite), jacobian=True)
    other = response(strip(family_of_second, onsite), jacobian=True)
    assert np.abs(right.curl).max() > 1e-3
    for name in ("force", "curl", "friction", "jacobian"):
        np.testing.assert_allclose(getattr(other, name), getattr(right, name), atol=1e-9)


def test_families_of_displaced_sites_equal_the_original():
    """Functions may still ask for the family, and for what they keep by site."""
    kept = {LAT(x, y): 0.05 * x * y for x in range(6) for y in range(3)}

    def by_family(a, b):
        assert a.family == LAT
        return inverse_square(a, b) if a.family == b.family else 0

    def with_disorder(site):
        return onsite(site) + kept[site]

    assert np.abs(response(strip(by_family, with_disorder)).curl).max() > 1e-3


@pytest.mark.parametrize("kind", ["hopping", "onsite", "distance"])
def test_caches_by_site_are_refused(kind):
    """What is kept for a site is returned wherever that is now."""
    keep = functools.lru_cache(maxsize=None)
    distance = keep(lambda a, b: apart(a.pos, b.pos))
    hopping, potential = {
        "hopping": (keep(inverse_square), onsite),
        "onsite": (inverse_square, keep(onsite)),
        "distance": (lambda a, b: -(distance(a, b) ** -2), onsite),
    }[kind]
    with pytest.raises(ValueError, match=r"returns the same for a displaced site.*lru_cache"):
        response(strip(hopping, potential))


def test_a_cached_position_of_one_site_is_refused():
    """The other site is seen: only half is dropped."""
    place = functools.lru_cache(maxsize=None)(lambda site: site.pos)
    with pytest.raises(ValueError, match="returns the same for a displaced site"):
        response(strip(lambda a, b: -(apart(a.pos, place(b)) ** -2), onsite))


def test_a_site_that_is_looked_up_by_its_tag_is_said():
    """The second site is where the lattice has it: warned of, with function, sites and cure."""

    def half(a, b):
        return -(apart(a.pos, LAT(*b.tag).pos) ** -2)

    with pytest.warns(RuntimeWarning, match=r"one of their sites.*half\(<Site.*site.pos of both"):
        response(strip(half, onsite))


def test_what_is_said_of_coordinates_is_kept(tmp_path):
    """In every result, also where it is loaded; and an operator or derivatives alone warn once."""

    def half(a, b):
        return -(apart(a.pos, LAT(*b.tag).pos) ** -2)

    syst, moving = strip(half, onsite), kc.Displacements(WHERE)
    pair = np.eye(6)[:2]
    asked = [
        lambda: kc.curl_map(syst, moving, ENERGY),
        lambda: kc.force_response(syst, moving, ENERGY),
        lambda: kc.phonon_rates(syst, moving, pair, ENERGY, frequency=0.1, bias=0.1),
    ]
    for ask in asked:
        with pytest.warns(RuntimeWarning, match="one of their sites") as found:
            result = ask()
        assert result.warnings == tuple(str(warning.message) for warning in found)
        assert [warning.filename for warning in found] == [__file__]
        result.save(tmp_path / "result.npz")
        assert kc.load(tmp_path / "result.npz").warnings == result.warnings
    for ask in (
        lambda: kc.Force(syst, moving).bind(),
        lambda: moving.hamiltonian_derivatives(syst),
    ):
        with pytest.warns(RuntimeWarning, match="one of their sites") as found:
            ask()
        assert len(found) == 1


def test_places_are_no_halves():
    """Hoppings that depend on the place, and phases of either site, are as they are."""

    def by_place(a, b):
        x = 0.5 * (a.pos[0] + b.pos[0])
        return -1 - 0.2 * np.tanh(x - 2.3)

    assert np.abs(response(strip(by_place, onsite)).force).max() > 0

    def landau(a, b):
        return inverse_square(a, b) * np.exp(0.2j * (a.pos[0] - b.pos[0]) * a.pos[1])

    assert np.abs(response(strip(landau, onsite)).force).max() > 0


def test_functions_that_do_not_follow_are_said():
    """Hoppings rebuilt from tags, beside others that follow."""

    def mixed(a, b):
        if a.tag[0] == b.tag[0]:
            return -(apart(LAT(*a.tag).pos, LAT(*b.tag).pos) ** -2)
        return inverse_square(a, b)

    with pytest.warns(RuntimeWarning, match="functions that don't depend on the position"):
        response(strip(mixed, onsite))


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
def test_phases_of_magnetic_gauge_are_refused():
    """They are kept by site. A law keeps all phases, and takes them."""

    def hopping(a, b, peierls):
        return inverse_square(a, b) * peierls(a, b)

    syst = strip(-1.0)
    gauge = kwant.physics.magnetic_gauge(syst)
    with_phases = strip(hopping, onsite)
    params = {"peierls": gauge(0.1, 0, 0)[0]}
    with pytest.raises(ValueError, match=r"'peierls' .*magnetic_gauge.*kept by site"):
        response(with_phases, params=params)
    moving = kc.Displacements(WHERE, scaling=kc.PowerLaw(2.0))
    assert np.abs(kc.force_response(with_phases, moving, ENERGY, params=params).curl).max() > 1e-3
    phases = params["peierls"]
    with pytest.warns(RuntimeWarning, match="looks the sites up besides"):
        response(strip(lambda a, b: inverse_square(a, b) * phases(a, b), onsite))


def test_wraparound_sees_the_second_site():
    """Kwant's wrapper makes the second site anew; force and curl are those of the plain system."""
    width = 4

    def system(hopping):
        syst = kwant.Builder(kwant.TranslationalSymmetry((0, width)))
        for x, y in np.ndindex(5, width):
            syst[LAT(x, y)] = 0.3 * np.sin(1 + 2 * x + 5 * y)
        syst[LAT.neighbors()] = hopping
        lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0), (0, width)))
        lead[(LAT(0, y) for y in range(width))] = 0
        lead[LAT.neighbors()] = -1
        device = kwant.wraparound.wraparound(syst, coordinate_names="y")
        lead = kwant.wraparound.wraparound(lead, keep=0, coordinate_names="xy")
        device.attach_lead(lead)
        device.attach_lead(lead.reversed())
        return device.finalized()

    params = {"k_y": 0.4}
    inside = [LAT(2, 1), LAT(3, 2)]  # no bond of theirs is wrapped
    law = kc.Displacements(inside, scaling=kc.PowerLaw(2.0))
    right = kc.curl_map(system(-1), law, -1.5, params=params)
    found = kc.curl_map(system(inverse_square), kc.Displacements(inside), -1.5, params=params)
    assert np.abs(right.curl).max() > 1e-3
    for name in ("force", "curl", "friction"):
        np.testing.assert_allclose(getattr(found, name), getattr(right, name), atol=1e-8)


def barrier(site):
    """Return a barrier that begins at x = 2 and ends at x = 5."""
    return onsite(site) + (0.4 if 2 < site.pos[0] < 5 else 0.0)


@pytest.mark.parametrize("others", [[], [LAT(3, 1)], [LAT(3, 0), LAT(3, 1), LAT(4, 2)]])
def test_a_jump_at_a_site_names_the_site(others):
    """Not the sites beside it, whose energies are smooth, and never a silent zero."""
    syst = strip(inverse_square, barrier)
    where = [*others, LAT(2, 1)]
    with pytest.raises(ValueError, match=r"barrier\(<Site \[2 1\].*jump or bend"):
        kc.curl_map(syst, kc.Displacements(where), ENERGY)


def test_edges_between_sites_are_smooth():
    """The same barrier from 2.5 on."""

    def between(site):
        return onsite(site) + (0.4 if 2.5 < site.pos[0] < 5.5 else 0.0)

    result = kc.curl_map(strip(inverse_square, between), kc.Displacements(WHERE), ENERGY)
    assert np.abs(result.curl).max() > 1e-4


def test_a_bend_at_a_site_is_an_error():
    """|x - 2| has no slope at x = 2: central differences would say zero."""
    syst = strip(inverse_square, lambda site: 0.3 * abs(site.pos[0] - 2))
    with pytest.raises(ValueError, match=r"<Site \[2 1\].*jump or bend"):
        kc.curl_map(syst, kc.Displacements([LAT(3, 1), LAT(2, 1)]), ENERGY)


@pytest.mark.parametrize("power", [1.2, 1.5, 1.8])
def test_a_singular_second_derivative_names_its_site(power):
    """Its site is smooth on no scale; a slope is there, and the narrow well beside it converges."""

    def onsites(site):
        x, y = site.pos
        well = np.exp(-(((x - 3.002) / 0.01) ** 2) - ((y - 0.999) / 0.01) ** 2)
        return onsite(site) + 0.5 * well + 0.3 * abs(x - 2) ** power * (1 + 0.2 * y)

    syst = strip(inverse_square, onsites)
    narrow, singular = kc.Displacements([LAT(3, 1)]), kc.Displacements([LAT(3, 1), LAT(2, 1)])
    alone = kc.force_response(syst, narrow, ENERGY, jacobian=True)
    beside = kc.force_response(syst, singular, ENERGY)
    np.testing.assert_allclose(beside.force[:2], alone.force, rtol=1e-8)
    with pytest.raises(ValueError, match=r"Second differences of .*onsites\(<Site \[2 1\]"):
        kc.force_response(syst, singular, ENERGY, jacobian=True)


SMOOTH = {
    "slow": lambda x, y: np.sin(1 + x + 0.3 * y),
    "narrow": lambda x, y: np.exp(-(((x - 0.001) / 0.005) ** 2) - (y / 0.005) ** 2),
    "large": lambda x, y: 1e4 * np.cos(x - y + 0.2),
    "constant": lambda x, y: 0.7,
}
BROKEN = {
    "jump": lambda x, y: 0.4 * (y > 0),
    "peak": lambda x, y: 1.0 * (x == 0 and y == 0),
    "bend": lambda x, y: abs(y),
    "cone": lambda x, y: np.hypot(x, y),
    "power": lambda x, y: abs(y) ** 1.5,
    "jump of the curvature": lambda x, y: y * abs(y),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_smooth_is_not_blamed(broken):
    """Derivatives of many elements at once: the singular one alone, also of a narrow one."""
    from kwant_curl.algebra.differentiate import differentiate
    from kwant_curl.algebra.second_differences import hessian

    for number in range(1, len(SMOOTH) + 1):
        for smooth in combinations(SMOOTH.values(), number):

            def values(x, smooth=smooth):
                return np.array([f(*x) for f in (*smooth, BROKEN[broken])], dtype=complex)

            _, converged = hessian(values, np.zeros(2), [(1.0,)] * 2)
            assert converged[:, :, :-1].all()
            assert not converged[:, :, -1].all()
            _, converged = differentiate(lambda y, f=values: f((0.0, y)), 0.0, (1.0,))
            assert converged[:-1].all()


@pytest.mark.parametrize("point", [0.0, 1.0, 2.0])
def test_jumps_along_a_parameter(point):
    """A barrier whose edge is moved onto sites."""

    def edge(site, x):
        return onsite(site) + (0.4 if site.pos[0] > 2 + x else 0.0)

    with pytest.raises(ValueError, match=r"edge\(<Site .*jump or bend|edge\(<Site"):
        kc.force_response(strip(-1.0, edge), kc.Parameters("x"), ENERGY, params={"x": point})


@pytest.mark.parametrize("far", [0.0, 1e2, 1e3])
def test_jumps_far_from_the_origin(far):
    """The step is bounded by the rounding of the position."""
    from kwant_curl.algebra.differentiate import differentiate

    def function(x):
        there = far + 2 + x
        return np.array([0.4 if there > far + 2 else 0.0, np.sin(there), 0.3 * abs(there - far)])

    slope, converged = differentiate(lambda x: function(x).astype(complex), 0.0, (1.0,))
    assert not converged[0]
    assert converged[1:].all()
    slope, converged = differentiate(lambda x: function(x)[1:].astype(complex), 0.0, (1.0,))
    assert converged.all()
    np.testing.assert_allclose(slope, [np.cos(far + 2), 0.3], atol=1e-9)


def test_identity_of_families_is_refused():
    """A displaced site's family equals the lattice and is another object."""
    with pytest.raises(ValueError, match=r"site.family == lattice instead of"):
        response(strip(lambda a, b: inverse_square(a, b) if a.family is LAT else -0.5, onsite))


def test_disorder_that_is_drawn_on_demand():
    """Kept by site, and no cache of what the position gives: accepted."""
    rng = np.random.default_rng(1)
    kept = {}

    def drawn(site):
        if site not in kept:
            kept[site] = rng.normal()
        return 0.2 * kept[site]

    assert np.abs(response(strip(inverse_square, drawn)).curl).max() > 1e-4


def test_elements_that_are_singled_out_by_site():
    """A constant at some sites is no cache."""

    def impurity(site):
        return 0.7 if site == LAT(2, 1) else onsite(site)

    assert np.abs(response(strip(inverse_square, impurity)).curl).max() > 1e-4


def test_a_cache_for_some_sites_alone():
    """Only those of the upper rows are kept."""
    kept = functools.lru_cache(maxsize=None)(onsite)
    with pytest.raises(ValueError, match="returns the same for a displaced site"):
        response(strip(inverse_square, lambda s: kept(s) if s.tag[1] == 2 else onsite(s)))


def test_far_from_the_origin():
    """Ten thousand lattice constants away, positions are known less exactly, and that is enough."""
    lat = kwant.lattice.Monatomic([(1, 0), (0, 1)], offset=(1e4, 2e4), norbs=1)
    syst = kwant.Builder()
    for x, y in np.ndindex(5, 3):
        syst[lat(x, y)] = 0.3 * np.sin(3 * x + 5 * y)
    syst[lat.neighbors()] = inverse_square
    for number in range(2):
        lead = kwant.builder.SelfEnergyLead(
            lambda *_: np.array([[-0.5j]]), [lat(4 * number, 1)], ()
        )
        syst.leads.append(lead)
    finished = syst.finalized()
    where = [lat(2, 1), lat(3, 2)]
    found = kc.curl_map(finished, kc.Displacements(where), 0.3)
    law = kc.curl_map(finished, kc.Displacements(where, scaling=kc.PowerLaw(2)), 0.3)
    np.testing.assert_allclose(found.curl, law.curl, atol=1e-6 * np.abs(law.curl).max())
