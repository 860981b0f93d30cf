namespace Session.Orleans.Load.Plan;

/// <summary>
/// Who has whom as a contact. The number of contacts has a heavy tail, and so has the popularity: few users are in very many lists. Everybody
/// writes most to the first in the own list.
/// </summary>
internal sealed class ContactGraph
{
    private const int MostContacts = 5000;

    private readonly int[][] _contacts;

    /// <summary>Draws the graph.</summary>
    /// <param name="users">Number of users, at least 1. One alone writes to itself.</param>
    /// <param name="settings">Its shape.</param>
    /// <param name="random">Where it comes from.</param>
    public ContactGraph(int users, ContactSettings settings, SeededRandom random)
    {
        // A Pareto distribution with this exponent has the mean least * (exponent - 1) / (exponent - 2), as far as it is not cut.
        var alpha = settings.Exponent - 1;
        var least = Math.Max(0.5, alpha > 1 ? settings.Mean * (alpha - 1) / alpha : settings.Mean / 4);
        var degrees = Distribution.Pareto(least, Math.Max(least + 1, Math.Min(MostContacts, users - 1)), alpha);
        var popularity = new double[users];
        var sum = 0.0;
        for (var user = 0; user < users; user++)
            popularity[user] = sum += degrees.Draw(ref random);

        _contacts = new int[users][];
        var chosen = new HashSet<int>();
        for (var user = 0; user < users; user++)
        {
            var wanted = Math.Clamp((int)Math.Round(degrees.Draw(ref random)), 1, Math.Max(1, users - 1));
            chosen.Clear();
            // With few users the same one is drawn again and again: a bound instead of a promise.
            for (var draw = 0; chosen.Count < wanted && draw < 8 * wanted; draw++)
            {
                var found = Array.BinarySearch(popularity, random.NextDouble() * sum);
                var other = Math.Min(users - 1, found >= 0 ? found + 1 : ~found);
                if (other != user)
                    _ = chosen.Add(other);
            }

            _contacts[user] = chosen.Count > 0 ? [.. chosen] : [(user + 1) % users];
        }
    }

    /// <summary>The contacts of a user, at least one.</summary>
    public IReadOnlyList<int> Of(int user) => _contacts[user];

    /// <summary>Draws one to write to: the first more often than the second, and so on, as the square of an even draw.</summary>
    public int Draw(int user, ref SeededRandom random)
    {
        var contacts = _contacts[user];
        var even = random.NextDouble();
        return contacts[(int)(even * even * contacts.Length)];
    }
}
