namespace Session.Orleans.Chain.Accounts;

/// <summary>
/// Balances and locked stakes. Nothing can overflow: no more than <see cref="long.MaxValue"/> is ever minted, and every other sum is a part
/// of that. Methods check before they change anything; a reason that comes back means that nothing happened.
/// </summary>
internal sealed class Ledger
{
    private readonly Dictionary<WalletAddress, long> _balances = [];
    private readonly List<LockedStake> _locked = []; // by release height, earliest first

    public Ledger()
    {
    }

    /// <summary>As it was; <paramref name="stakes"/> is the sum of the registered nodes' stakes.</summary>
    public Ledger(long minted, IEnumerable<KeyValuePair<WalletAddress, long>> balances, IEnumerable<LockedStake> locked, long stakes)
    {
        Int128 free = 0, held = 0;
        foreach (var (wallet, amount) in balances)
        {
            Require(wallet.IsValid && amount > 0 && _balances.TryAdd(wallet, amount), "a balance is not positive or has no valid wallet");
            free += amount;
        }

        foreach (var stake in locked)
        {
            Require(stake.Wallet.IsValid && stake.Amount > 0, "a locked stake is not positive or has no valid wallet");
            Insert(stake);
            held += stake.Amount;
        }

        Require(stakes >= 0 && minted == free + held + stakes, "balances, stakes and locked stakes do not add up to what was minted");
        Totals = new(minted, (long)free, stakes, (long)held);
    }

    public LedgerTotals Totals { get; private set; }

    public IReadOnlyDictionary<WalletAddress, long> Balances => _balances;

    public IReadOnlyList<LockedStake> Locked => _locked;

    public long BalanceOf(WalletAddress wallet) => _balances.GetValueOrDefault(wallet);

    public string? Mint(WalletAddress to, long amount)
    {
        if (CheckAmount(to, amount) is { } reason)
            return reason;
        if (amount > long.MaxValue - Totals.Minted)
            return "more coins than a ledger can count would exist";
        Credit(to, amount);
        Totals = Totals with { Minted = Totals.Minted + amount, Balances = Totals.Balances + amount };
        return null;
    }

    public string? Transfer(WalletAddress from, WalletAddress to, long amount)
    {
        if ((CheckAmount(to, amount) ?? CheckFunds(from, amount)) is { } reason)
            return reason;
        Debit(from, amount);
        Credit(to, amount);
        return null;
    }

    /// <summary>Why <paramref name="wallet"/> can't spend <paramref name="amount"/>, or null.</summary>
    public string? CheckFunds(WalletAddress wallet, long amount)
    {
        if (CheckAmount(wallet, amount) is { } reason)
            return reason;
        var balance = BalanceOf(wallet);
        return balance < amount ? $"{wallet} has {balance} atomic units, {amount} are needed" : null;
    }

    /// <summary>Moves a checked amount into a stake.</summary>
    public void Stake(WalletAddress from, long amount)
    {
        Debit(from, amount);
        Totals = Totals with { Balances = Totals.Balances - amount, Stakes = Totals.Stakes + amount };
    }

    /// <summary>Returns a node's stake.</summary>
    public void Return(IEnumerable<Contribution> stake)
    {
        foreach (var (wallet, amount) in stake)
        {
            Credit(wallet, amount);
            Totals = Totals with { Balances = Totals.Balances + amount, Stakes = Totals.Stakes - amount };
        }
    }

    /// <summary>Locks a node's stake until the block at <paramref name="releaseHeight"/>.</summary>
    public void Lock(IEnumerable<Contribution> stake, long releaseHeight, int node)
    {
        foreach (var (wallet, amount) in stake)
        {
            Insert(new(wallet, amount, releaseHeight, node));
            Totals = Totals with { Stakes = Totals.Stakes - amount, Locked = Totals.Locked + amount };
        }
    }

    /// <summary>Returns the locked stakes whose time has come.</summary>
    public IReadOnlyList<LockedStake> Release(long height)
    {
        var count = 0;
        while (count < _locked.Count && _locked[count].ReleaseHeight <= height)
            count++;
        if (count == 0)
            return [];
        var released = _locked.GetRange(0, count);
        _locked.RemoveRange(0, count);
        foreach (var stake in released)
        {
            Credit(stake.Wallet, stake.Amount);
            Totals = Totals with { Balances = Totals.Balances + stake.Amount, Locked = Totals.Locked - stake.Amount };
        }

        return released;
    }

    private static string? CheckAmount(WalletAddress wallet, long amount) =>
        !wallet.IsValid ? "the wallet address is missing" : amount <= 0 ? $"the amount must be more than 0, it is {amount}" : null;

    private static void Require(bool condition, string problem)
    {
        if (!condition)
            throw new ArgumentException($"The ledger is damaged: {problem}.");
    }

    private void Credit(WalletAddress wallet, long amount) => _balances[wallet] = BalanceOf(wallet) + amount;

    // Accounts without a coin are not kept: a faucet's visitors would pile up.
    private void Debit(WalletAddress wallet, long amount)
    {
        var rest = _balances[wallet] - amount;
        if (rest > 0)
            _balances[wallet] = rest;
        else
            _ = _balances.Remove(wallet);
    }

    // Nearly always at the end; equal heights stay in order.
    private void Insert(LockedStake stake)
    {
        var at = _locked.Count;
        while (at > 0 && _locked[at - 1].ReleaseHeight > stake.ReleaseHeight)
            at--;
        _locked.Insert(at, stake);
    }
}
