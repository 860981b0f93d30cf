using Session.Orleans.Chain.Accounts;
using Session.Orleans.Chain.Blocks;
using Session.Orleans.Chain.Nodes;

namespace Session.Orleans.Chain.Operations;

/// <summary>Does operations. Each checks everything before it changes anything.</summary>
internal static class OperationProcessor
{
    /// <summary>Why the operation can't be done, or null if it is done.</summary>
    public static string? Apply(ChainState chain, ChainOperation operation, int position) => operation switch
    {
        Mint mint => Apply(chain, mint),
        Transfer transfer => Apply(chain, transfer),
        Register register => Apply(chain, register, position),
        Contribute contribute => Apply(chain, contribute, position),
        RequestUnlock unlock => Apply(chain, unlock),
        Decommission decommission => Apply(chain, decommission),
        Recommission recommission => Apply(chain, recommission),
        Deregister deregister => Apply(chain, deregister),
        _ => $"{operation.GetType().Name} is no operation of this chain",
    };

    private static string? Apply(ChainState chain, Mint mint)
    {
        var reason = chain.Ledger.Mint(mint.To, mint.Amount);
        if (reason is null)
            chain.Events.Add(new CoinsMinted(mint.To, mint.Amount));
        return reason;
    }

    private static string? Apply(ChainState chain, Transfer transfer)
    {
        var reason = chain.Ledger.Transfer(transfer.From, transfer.To, transfer.Amount);
        if (reason is null)
            chain.Events.Add(new CoinsTransferred(transfer.From, transfer.To, transfer.Amount));
        return reason;
    }

    private static string? Apply(ChainState chain, Register register, int position)
    {
        if (Check(chain, register) is { } reason)
            return reason;
        var node = new Node
        {
            Index = register.Node,
            PublicKey = register.PublicKey,
            Operator = register.Contributions[0].Wallet,
            OperatorFee = register.OperatorFee,
            Contributions = [],
            RegistrationHeight = chain.Height,
            StateHeight = chain.Height,
        };
        chain.Nodes.Add(node);
        chain.Events.Add(new NodeRegistered(node.Index));
        foreach (var (wallet, amount) in register.Contributions)
            AddStake(chain, node, wallet, amount);
        ActivateIfFunded(chain, node, position);
        return null;
    }

    private static string? Check(ChainState chain, Register register)
    {
        if (register.Node < 0)
            return $"a node's number is not negative, this is {register.Node}";
        if (chain.Nodes.Find(register.Node) is not null)
            return $"node {register.Node} is already registered";
        if (chain.Nodes.HasKey(register.PublicKey))
            return $"the key {register.PublicKey} is already registered";
        if (register.OperatorFee is < 0 or > Register.WholeFee)
            return $"the operator's fee is 0 to {Register.WholeFee} parts of a million, this is {register.OperatorFee}";
        if (register.Contributions.IsDefaultOrEmpty)
            return "the operator's own contribution is missing";
        if (register.Contributions.Length > chain.Rules.MaxContributors)
            return $"a node has at most {chain.Rules.MaxContributors} contributors, these are {register.Contributions.Length}";

        Int128 sum = 0;
        var wallets = new HashSet<WalletAddress>();
        foreach (var (wallet, amount) in register.Contributions)
        {
            if (!wallets.Add(wallet))
                return $"{wallet} contributes twice";
            if (chain.Ledger.CheckFunds(wallet, amount) is { } reason)
                return reason;
            sum += amount;
        }

        return sum > chain.Rules.StakingRequirement
            ? $"the stake is {chain.Rules.StakingRequirement} atomic units, these contributions are {sum}" : null;
    }

    private static string? Apply(ChainState chain, Contribute contribute, int position)
    {
        if (chain.Nodes.Find(contribute.Node) is not { } node)
            return Unknown(contribute.Node);
        if (node.IsFunded)
            return $"node {node.Index} is fully staked";
        if (chain.Ledger.CheckFunds(contribute.From, contribute.Amount) is { } reason)
            return reason;
        var missing = chain.Rules.StakingRequirement - node.TotalContributed;
        if (contribute.Amount > missing)
            return $"node {node.Index} lacks only {missing} atomic units, this is {contribute.Amount}";
        if (node.Contributions.Count >= chain.Rules.MaxContributors && !IsContributor(node, contribute.From))
            return $"node {node.Index} has {chain.Rules.MaxContributors} contributors already";
        AddStake(chain, node, contribute.From, contribute.Amount);
        ActivateIfFunded(chain, node, position);
        return null;
    }

    private static string? Apply(ChainState chain, RequestUnlock unlock)
    {
        if (chain.Nodes.Find(unlock.Node) is not { } node)
            return Unknown(unlock.Node);
        if (!IsContributor(node, unlock.By))
            return $"{unlock.By} has no stake in node {node.Index}";
        if (node.RequestedUnlockHeight > 0)
            return $"node {node.Index} leaves at height {node.RequestedUnlockHeight} already";
        if (!node.IsFunded)
        {
            NodeLifeCycle.Leave(chain, node);
            return null;
        }

        // At least the next block: unlocks of this one have been done.
        node.RequestedUnlockHeight = chain.Height + Math.Max(1, chain.Rules.UnlockDelay);
        _ = chain.Unlocks.Add((node.RequestedUnlockHeight, node.Slot));
        chain.Events.Add(new UnlockRequested(node.Index, node.RequestedUnlockHeight));
        return null;
    }

    private static string? Apply(ChainState chain, Decommission operation)
    {
        if (chain.Nodes.Find(operation.Node) is not { } node)
            return Unknown(operation.Node);
        if (node.Status is not NodeStatus.Active)
            return $"node {node.Index} is {StatusText(node)}, only an active node can be decommissioned";
        NodeLifeCycle.Decommission(chain, node, byOperator: true);
        return null;
    }

    private static string? Apply(ChainState chain, Recommission operation)
    {
        if (chain.Nodes.Find(operation.Node) is not { } node)
            return Unknown(operation.Node);
        if (node.Status is not NodeStatus.Decommissioned)
            return $"node {node.Index} is {StatusText(node)}, only a decommissioned node can be recommissioned";
        NodeLifeCycle.Recommission(chain, node, byOperator: true);
        return null;
    }

    private static string? Apply(ChainState chain, Deregister operation)
    {
        if (chain.Nodes.Find(operation.Node) is not { } node)
            return Unknown(operation.Node);
        if (!node.IsFunded)
            return $"node {node.Index} is {StatusText(node)}; it leaves at once if one of its contributors asks for the stake back";
        NodeLifeCycle.Deregister(chain, node, byOperator: true);
        return null;
    }

    private static void AddStake(ChainState chain, Node node, WalletAddress wallet, long amount)
    {
        chain.Ledger.Stake(wallet, amount);
        var at = node.Contributions.FindIndex(contribution => contribution.Wallet == wallet);
        if (at < 0)
            node.Contributions.Add(new(wallet, amount));
        else
            node.Contributions[at] = new(wallet, node.Contributions[at].Amount + amount);
        chain.Events.Add(new StakeAdded(node.Index, wallet, amount));
    }

    private static void ActivateIfFunded(ChainState chain, Node node, int position)
    {
        if (node.TotalContributed == chain.Rules.StakingRequirement)
            NodeLifeCycle.Activate(chain, node, position);
    }

    private static bool IsContributor(Node node, WalletAddress wallet) =>
        node.Contributions.Exists(contribution => contribution.Wallet == wallet);

    private static string Unknown(int node) => $"there is no node {node}";

    private static string StatusText(Node node) => node.Status switch
    {
        NodeStatus.Awaiting => "still awaiting its stake",
        NodeStatus.Active => "active",
        _ => "decommissioned",
    };
}
